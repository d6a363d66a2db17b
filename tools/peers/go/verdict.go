package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

// evidence is what a verdict is asked about: the files of one "snpwire verify", as bytes.
type evidence struct {
	Report       []byte   `json:"report"`
	Certificates [][]byte `json:"certificates"`
	// Root is the ARK to trust; without one, the module trusts those that it carries.
	Root []byte `json:"root"`
	// List is the revocation list; without one, revocations are not looked at.
	List []byte    `json:"list"`
	At   time.Time `json:"at"`
	// Options change the module's own, by their names in Go.
	Options json.RawMessage `json:"options"`
}

// verdict is what is printed.
type verdict struct {
	Accepted bool `json:"accepted"`
	// Stage is where the evidence was refused: read, verify, validate.
	Stage string `json:"stage"`
	Says  string `json:"says"`
}

// judge prints the verdict on the evidence that input holds.
func judge(input io.Reader, output io.Writer) error {
	var given evidence
	if err := json.NewDecoder(input).Decode(&given); err != nil {
		return err
	}
	wanted, err := wishes(given.Options)
	if err != nil {
		return err
	}
	stage, err := refusal(given, wanted)
	answer := verdict{Accepted: err == nil, Stage: stage}
	if err != nil {
		answer.Says = err.Error()
	}
	return json.NewEncoder(output).Encode(answer)
}

// refusal returns why the module refuses the evidence, and at which stage. It does what the module's
// check tool does at its defaults, but for two flags: "-guest_policy" allows SMT, and "-network" is
// false, for what is missing stays missing. A panic is a refusal that says so: such a reader accepts
// nothing.
func refusal(given evidence, wanted *validate.Options) (stage string, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v", fault)
		}
	}()
	stage = "read"
	report, err := abi.ReportToProto(given.Report)
	if err != nil {
		return
	}
	chain, issuers, err := sorted(given.Certificates)
	if err != nil {
		return
	}
	options, err := trusted(given, issuers)
	if err != nil {
		return
	}
	attestation := &sevsnp.Attestation{Report: report, CertificateChain: chain}
	stage = "verify"
	if err = verify.SnpAttestation(attestation, options); err != nil {
		return
	}
	stage = "validate"
	err = validate.SnpAttestation(attestation, wanted)
	return
}

// wishes returns the defaults of the check tool, SMT allowed, changed by what is given.
func wishes(given json.RawMessage) (*validate.Options, error) {
	options := &validate.Options{GuestPolicy: abi.SnpPolicy{SMT: true}}
	if given == nil {
		return options, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(given))
	decoder.DisallowUnknownFields()
	return options, decoder.Decode(options)
}

// sorted returns the module's chain, which has one place for each kind of certificate: the first of
// its kind takes it, as in a certificate table. Certificates that issue others are a matter of trust
// to the module, and of any number.
func sorted(raw [][]byte) (*sevsnp.CertificateChain, []*x509.Certificate, error) {
	chain := &sevsnp.CertificateChain{}
	var issuers []*x509.Certificate
	for index, der := range ders(raw) {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d: %w", index, err)
		}
		switch name := parsed.Subject.CommonName; {
		case name == "SEV-VCEK":
			place(&chain.VcekCert, parsed)
		case name == "SEV-VLEK":
			place(&chain.VlekCert, parsed)
		case strings.HasPrefix(name, "SEV-"):
			issuers = append(issuers, parsed)
		}
	}
	return chain, issuers, nil
}

// ders returns the certificates of files that are DER or PEM.
func ders(raw [][]byte) [][]byte {
	var found [][]byte
	for _, data := range raw {
		block, rest := pem.Decode(data)
		if block == nil {
			found = append(found, data)
		}
		for ; block != nil; block, rest = pem.Decode(rest) {
			found = append(found, block.Bytes)
		}
	}
	return found
}

func place(empty *[]byte, parsed *x509.Certificate) {
	if *empty == nil {
		*empty = parsed.Raw
	}
}

// trusted returns options that trust the root: as many bundles as there are issuers, as if each
// were named after "-cabundles", for the product line that the root is named after.
func trusted(given evidence, issuers []*x509.Certificate) (*verify.Options, error) {
	options := &verify.Options{
		DisableCertFetching: true,
		CheckRevocations:    given.List != nil,
		Getter:              offline{},
		Now:                 given.At,
	}
	if given.Root == nil {
		return options, nil
	}
	root, err := trust.ParseCert(given.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	var list *x509.RevocationList
	if given.List != nil {
		if list, err = x509.ParseRevocationList(given.List); err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
	}
	line := strings.TrimPrefix(root.Subject.CommonName, "ARK-")
	// A product without a stepping, as "-product" has it: certificates of any stepping will do.
	if options.Product, err = kds.ParseProductLine(line); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	options.TrustedRoots = map[string][]*trust.AMDRootCerts{line: bundles(line, root, issuers, list)}
	return options, nil
}

func bundles(
	line string, root *x509.Certificate, issuers []*x509.Certificate, list *x509.RevocationList,
) []*trust.AMDRootCerts {
	var found []*trust.AMDRootCerts
	for _, issuer := range issuers {
		bundle := trust.AMDRootCertsProduct(line)
		bundle.ProductCerts = &trust.ProductCerts{Ark: root}
		bundle.CRL = list
		if strings.HasPrefix(issuer.Subject.CommonName, "SEV-VLEK") {
			bundle.ProductCerts.Asvk = issuer
		} else {
			bundle.ProductCerts.Ask = issuer
		}
		found = append(found, bundle)
	}
	return found
}

// offline fetches nothing.
type offline struct{}

func (offline) Get(url string) ([]byte, error) {
	return nil, errors.New("nothing is fetched: " + url)
}
