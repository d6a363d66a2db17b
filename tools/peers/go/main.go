// Prints the fields of an attestation report as go-sev-guest reads them.
//
// The report comes on standard input, one JSON object goes to standard output. Fields are those of
// the module's own message, asked for by reflection, so that none is left out: numbers as numbers,
// bytes as hexadecimal. What the module derives from them goes beside them. A report that the module
// refuses is a line on standard error and exit code 1.
//
// With the word "verdict" it says whether the module accepts evidence instead: see verdict.go.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/kds"
	"github.com/google/go-sev-guest/proto/sevsnp"
)

// reading is what is printed.
type reading struct {
	Fields  map[string]any            `json:"fields"`
	Bits    map[string]map[string]int `json:"bits"`
	Product string                    `json:"product"`
	// Objections are complaints that do not keep the report from being read.
	Objections []string `json:"objections"`
	// Rebuilt tells whether the module encodes its fields to the bytes they came from.
	Rebuilt bool `json:"rebuilt"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string) error {
	if len(words) == 1 && words[0] == "verdict" {
		return judge(os.Stdin, os.Stdout)
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	return show(data)
}

func show(data []byte) error {
	report, err := abi.ReportToProto(data)
	if err != nil {
		return err
	}
	rebuilt, err := abi.ReportToAbiBytes(report)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(reading{
		Fields:     fields(report),
		Bits:       bits(report),
		Product:    kds.ProductLineFromFms(report.GetCpuid1EaxFms()),
		Objections: objections(data, report),
		Rebuilt:    bytes.Equal(rebuilt, data),
	})
}

func fields(report *sevsnp.Report) map[string]any {
	message := report.ProtoReflect()
	every := message.Descriptor().Fields()
	found := map[string]any{}
	for index := 0; index < every.Len(); index++ {
		field := every.Get(index)
		value := message.Get(field).Interface()
		if raw, ok := value.([]byte); ok {
			value = hex.EncodeToString(raw)
		}
		found[string(field.Name())] = value
	}
	return found
}

// bits takes words apart, by the names that snpwire has for their parts. That a word holds what the
// module objects to is told elsewhere: the parts it knows are there all the same.
func bits(report *sevsnp.Report) map[string]map[string]int {
	policy, _ := abi.ParseSnpPolicy(report.GetPolicy())
	platform, _ := abi.ParseSnpPlatformInfo(report.GetPlatformInfo())
	signer, _ := abi.ParseSignerInfo(report.GetSignerInfo())
	return map[string]map[string]int{
		"current_tcb":   tcb(report.GetCurrentTcb()),
		"reported_tcb":  tcb(report.GetReportedTcb()),
		"committed_tcb": tcb(report.GetCommittedTcb()),
		"launch_tcb":    tcb(report.GetLaunchTcb()),
		"policy": {
			"abi_minor":              int(policy.ABIMinor),
			"abi_major":              int(policy.ABIMajor),
			"smt":                    bit(policy.SMT),
			"migrate_ma":             bit(policy.MigrateMA),
			"debug":                  bit(policy.Debug),
			"single_socket":          bit(policy.SingleSocket),
			"cxl_allow":              bit(policy.CXLAllowed),
			"mem_aes_256_xts":        bit(policy.MemAES256XTS),
			"rapl_dis":               bit(policy.RAPLDis),
			"ciphertext_hiding_dram": bit(policy.CipherTextHidingDRAM),
			"page_swap_disable":      bit(policy.PageSwapDisable),
		},
		"platform_info": {
			"smt_en":                    bit(platform.SMTEnabled),
			"tsme_en":                   bit(platform.TSMEEnabled),
			"ecc_en":                    bit(platform.ECCEnabled),
			"rapl_dis":                  bit(platform.RAPLDisabled),
			"ciphertext_hiding_dram_en": bit(platform.CiphertextHidingDRAMEnabled),
			"alias_check_complete":      bit(platform.AliasCheckComplete),
			"tio_en":                    bit(platform.TIOEnabled),
		},
		"key_info": {
			"author_key_en": bit(signer.AuthorKeyEn),
			"mask_chip_key": bit(signer.MaskChipKey),
			"signing_key":   int(signer.SigningKey),
		},
	}
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

func tcb(number uint64) map[string]int {
	parts := kds.DecomposeTCBVersion(kds.TCBVersion(number))
	return map[string]int{
		"boot_loader": int(parts.BlSpl),
		"tee":         int(parts.TeeSpl),
		"snp":         int(parts.SnpSpl),
		"microcode":   int(parts.UcodeSpl),
	}
}

func objections(data []byte, report *sevsnp.Report) []string {
	found := []string{}
	if err := abi.ValidateReportFormat(data); err != nil {
		found = append(found, err.Error())
	}
	if _, err := abi.ParseSnpPlatformInfo(report.GetPlatformInfo()); err != nil {
		found = append(found, err.Error())
	}
	return found
}
