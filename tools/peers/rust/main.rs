//! Prints the fields of an attestation report as the `sev` crate reads them.
//!
//! The report comes on standard input, one JSON object goes to standard output: numbers as numbers,
//! bytes as hexadecimal, what a version of the report lacks as null. Every field is named without a
//! rest pattern, so that a new one stops the build. A report that the crate refuses is a line on
//! standard error and exit code 1.

use std::error::Error;
use std::io::{stdin, Read};
use std::process::ExitCode;

use sev::firmware::guest::{AttestationReport, Version};
use sev::firmware::host::TcbVersion;
use sev::parser::ByteParser;
use sev::Generation;

fn main() -> ExitCode {
    match show() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<String, Box<dyn Error>> {
    let mut data = Vec::new();
    stdin().read_to_end(&mut data)?;
    let report = AttestationReport::from_bytes(&data)?;
    let rebuilt = report.to_bytes()?[..] == data[..];
    Ok(object(&[
        ("fields", fields(report)),
        ("bits", bits(&report)),
        ("product", product(&report)?),
        ("rebuilt", rebuilt.to_string()),
    ]))
}

fn fields(report: AttestationReport) -> String {
    let AttestationReport {
        version,
        guest_svn,
        policy,
        family_id,
        image_id,
        vmpl,
        sig_algo,
        current_tcb: _,
        plat_info,
        key_info,
        report_data,
        measurement,
        host_data,
        id_key_digest,
        author_key_digest,
        report_id,
        report_id_ma,
        reported_tcb: _,
        cpuid_fam_id,
        cpuid_mod_id,
        cpuid_step,
        chip_id,
        committed_tcb: _,
        current,
        committed,
        launch_tcb: _,
        launch_mit_vector,
        current_mit_vector,
        signature,
    } = report;
    object(&[
        ("version", version.to_string()),
        ("guest_svn", guest_svn.to_string()),
        ("policy", u64::from(policy).to_string()),
        ("family_id", hex(&family_id)),
        ("image_id", hex(&image_id)),
        ("vmpl", vmpl.to_string()),
        ("sig_algo", sig_algo.to_string()),
        ("plat_info", u64::from(plat_info).to_string()),
        ("key_info", u32::from(key_info).to_string()),
        ("report_data", hex(&report_data)),
        ("measurement", hex(&measurement)),
        ("host_data", hex(&host_data)),
        ("id_key_digest", hex(&id_key_digest)),
        ("author_key_digest", hex(&author_key_digest)),
        ("report_id", hex(&report_id)),
        ("report_id_ma", hex(&report_id_ma)),
        ("cpuid_fam_id", perhaps(cpuid_fam_id)),
        ("cpuid_mod_id", perhaps(cpuid_mod_id)),
        ("cpuid_step", perhaps(cpuid_step)),
        ("chip_id", hex(&chip_id)),
        ("current", triple(current)),
        ("committed", triple(committed)),
        ("launch_mit_vector", perhaps(launch_mit_vector)),
        ("current_mit_vector", perhaps(current_mit_vector)),
        ("signature.r", hex(signature.r())),
        ("signature.s", hex(signature.s())),
    ])
}

/// Words taken apart, by the names that snpwire has for their parts.
fn bits(report: &AttestationReport) -> String {
    let (policy, platform, key) = (report.policy, report.plat_info, report.key_info);
    object(&[
        ("current_tcb", tcb(report.current_tcb)),
        ("reported_tcb", tcb(report.reported_tcb)),
        ("committed_tcb", tcb(report.committed_tcb)),
        ("launch_tcb", tcb(report.launch_tcb)),
        (
            "policy",
            object(&[
                ("abi_minor", policy.abi_minor().to_string()),
                ("abi_major", policy.abi_major().to_string()),
                ("smt", bit(policy.smt_allowed())),
                ("migrate_ma", bit(policy.migrate_ma_allowed())),
                ("debug", bit(policy.debug_allowed())),
                ("single_socket", bit(policy.single_socket_required())),
                ("cxl_allow", bit(policy.cxl_allowed())),
                ("mem_aes_256_xts", bit(policy.mem_aes_256_xts())),
                ("rapl_dis", bit(policy.rapl_dis())),
                ("ciphertext_hiding_dram", bit(policy.ciphertext_hiding())),
                ("page_swap_disable", bit(policy.page_swap_disabled())),
            ]),
        ),
        (
            "platform_info",
            object(&[
                ("smt_en", bit(platform.smt_enabled())),
                ("tsme_en", bit(platform.tsme_enabled())),
                ("ecc_en", bit(platform.ecc_enabled())),
                ("rapl_dis", bit(platform.rapl_disabled())),
                (
                    "ciphertext_hiding_dram_en",
                    bit(platform.ciphertext_hiding_enabled()),
                ),
                ("alias_check_complete", bit(platform.alias_check_complete())),
                ("tio_en", bit(platform.tio_enabled())),
            ]),
        ),
        (
            "key_info",
            object(&[
                ("author_key_en", bit(key.author_key_en())),
                ("mask_chip_key", bit(key.mask_chip_key())),
                ("signing_key", key.signing_key().to_string()),
            ]),
        ),
    ])
}

fn bit(set: bool) -> String {
    u8::from(set).to_string()
}

fn tcb(version: TcbVersion) -> String {
    let TcbVersion {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    } = version;
    let mut parts = Vec::from_iter(fmc.map(|fmc| ("fmc", fmc.to_string())));
    parts.push(("boot_loader", bootloader.to_string()));
    parts.push(("tee", tee.to_string()));
    parts.push(("snp", snp.to_string()));
    parts.push(("microcode", microcode.to_string()));
    object(&parts)
}

fn product(report: &AttestationReport) -> Result<String, Box<dyn Error>> {
    Ok(match (report.cpuid_fam_id, report.cpuid_mod_id) {
        (Some(family), Some(model)) => {
            format!(
                "\"{}\"",
                Generation::identify_cpu(family, model)?.titlecase()
            )
        }
        _ => "null".to_string(),
    })
}

fn triple(version: Version) -> String {
    let Version {
        major,
        minor,
        build,
    } = version;
    format!("[{major}, {minor}, {build}]")
}

fn perhaps(number: Option<impl ToString>) -> String {
    number.map_or("null".to_string(), |number| number.to_string())
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn object(members: &[(&str, String)]) -> String {
    let lines: Vec<String> = members
        .iter()
        .map(|(k, v)| format!("\"{k}\": {v}"))
        .collect();
    format!("{{{}}}", lines.join(", "))
}
