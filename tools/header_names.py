"""What the specs call a thing, and the C expression by which Linux knows it.

A table and nothing else: ``check_headers`` reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Layout(NamedTuple):
    """Say where a structure of the specs lives in C; `size` replaces the plain sizeof."""

    type: str
    members: Mapping[str, str] = {}
    prefix: str = ""
    size: str = "sizeof({})"
    element: str = ""


def stems(text: str) -> dict[str, str]:
    """Read NAME=STEM pairs."""
    return dict(pair.split("=") for pair in text.split())


def same(text: str) -> dict[str, str]:
    """Return names that are the same in C."""
    return {name: name for name in text.split()}


# One row, one line, as far as it goes.
# fmt: off
STRUCTURES = {  # in the order in which C needs them; those without a table are needed by others
    "ghcb_save_area": Layout("ghcb_save_area"),
    "ghcb_page": Layout(
        "ghcb", {n: n for n in ("shared_buffer", "protocol_version", "ghcb_usage")}, "save."),
    "psc_header": Layout("psc_hdr"),
    "psc_entry": Layout("psc_entry"),
    "psc_buffer": Layout("snp_psc_desc", prefix="hdr.", element="entries"),
    "cc_blob": Layout("cc_blob_sev_info"),
    "svsm_caa": Layout("svsm_ca", {"buffer": "svsm_buffer"}),
    "svsm_pvalidate_entry": Layout("svsm_pvalidate_entry"),
    "svsm_pvalidate_request": Layout(
        "svsm_pvalidate_call", stems("entries=num_entries next=cur_index"), element="entry"),
    "svsm_location": Layout("svsm_loc_entry"),
    "svsm_attest_single_service": Layout(
        "svsm_attest_call", {"manifest_version": "service_manifest_ver"}),
    "segment": Layout("vmcb_seg"),
    "vmsa": Layout("sev_es_save_area", size="4096 + 0 * sizeof({})"),
    "secrets_os_area": Layout("secrets_os_area"),
    "secrets_page": Layout("snp_secrets_page"),
    "message_header": Layout(
        "snp_guest_msg_hdr", stems("auth_tag=authtag hdr_size=hdr_sz msg_size=msg_sz")),
    "message_page": Layout("snp_guest_msg", stems("header=hdr")),
    "report_req": Layout("snp_report_req", stems("report_data=user_data select=rsvd")),
    "key_req": Layout("snp_derived_key_req", stems("select=root_key_select")),
    "cpuid_function": Layout("snp_cpuid_fn"),
    "cpuid_page": Layout("snp_cpuid_table", stems("functions=fn")),
    "tsc_info_req": Layout("snp_tsc_info_req"),
    "tsc_info_rsp": Layout(
        "snp_tsc_info_resp", stems("guest_tsc_scale=tsc_scale guest_tsc_offset=tsc_offset")),
    "svsm_attest_services": Layout(
        "svsm_attest_call",
        stems("report_gpa=report_buf.pa report_size=report_buf.len nonce_gpa=nonce.pa "
              "nonce_size=nonce.len manifest_gpa=manifest_buf.pa manifest_size=manifest_buf.len "
              "certificate_gpa=certificates_buf.pa certificate_size=certificates_buf.len"),
        size="offsetof({}, service_guid)"),
    # Commands. A field that is missing in C, such as flags, is made of bits: see CODES.
    "sev_platform_status": Layout("sev_user_data_status", stems("build_id=build")),
    "sev_init": Layout("sev_data_init", stems("tmr_paddr=tmr_address tmr_length=tmr_len")),
    "sev_init_ex": Layout(
        "sev_data_init_ex",
        stems("iex_len=length tmr_paddr=tmr_address tmr_length=tmr_len nv_paddr=nv_address "
              "nv_length=nv_len")),
    "pek_csr": Layout("sev_data_pek_csr", stems("pek_csr_paddr=address pek_csr_len=len")),
    "pek_cert_import": Layout(
        "sev_data_pek_cert_import",
        stems("pek_cert_paddr=pek_cert_address oca_cert_paddr=oca_cert_address")),
    "pdh_cert_export": Layout(
        "sev_data_pdh_cert_export",
        stems("pdh_cert_paddr=pdh_cert_address cert_chain_paddr=cert_chain_address "
              "certs_len=cert_chain_len")),
    "sev_download": Layout(
        "sev_data_download_firmware", stems("firmware_paddr=address firmware_len=len")),
    "sev_get_id": Layout("sev_data_get_id", stems("id_paddr=address id_len=len")),
    "sev_handle": Layout("sev_data_decommission"),
    "sev_activate": Layout("sev_data_activate"),
    "sev_guest_status": Layout("sev_data_guest_status"),
    "sev_launch_start": Layout(
        "sev_data_launch_start",
        stems("dh_cert_paddr=dh_cert_address session_paddr=session_address")),
    "sev_launch_update": Layout(
        "sev_data_launch_update_data", stems("paddr=address length=len")),
    "sev_launch_measure": Layout(
        "sev_data_launch_measure", stems("measure_paddr=address measure_len=len")),
    "sev_transport": Layout(
        "sev_data_launch_secret",
        stems("hdr_paddr=hdr_address hdr_size=hdr_len guest_paddr=guest_address "
              "trans_paddr=trans_address")),
    "sev_attestation": Layout(
        "sev_data_attestation_report", stems("paddr=address length=len")),
    "sev_send_start": Layout(
        "sev_data_send_start",
        stems("pdh_cert_paddr=pdh_cert_address plat_certs_paddr=plat_certs_address "
              "amd_certs_paddr=amd_certs_address session_paddr=session_address")),
    "sev_receive_start": Layout(
        "sev_data_receive_start",
        stems("pdh_cert_paddr=pdh_cert_address session_paddr=session_address")),
    "sev_dbg": Layout(
        "sev_data_dbg", stems("src_paddr=src_addr dst_paddr=dst_addr length=len")),
    "init_ex": Layout("sev_data_snp_init_ex"),
    "shutdown_ex": Layout("sev_data_snp_shutdown_ex", stems("length=len")),
    "platform_status_command": Layout("sev_data_snp_addr", stems("status_paddr=address")),
    "platform_status": Layout(
        "sev_user_data_snp_status",
        stems("current_tcb=current_tcb_version reported_tcb=reported_tcb_version")),
    "config": Layout("sev_user_data_snp_config"),
    "commit": Layout("sev_data_snp_commit", stems("length=len")),
    "range": Layout("sev_data_range"),
    "range_list": Layout(
        "sev_data_range_list", stems("n=num_elements"), element="ranges"),
    "vlek_load": Layout(
        "sev_user_data_snp_vlek_load",
        stems("length=len vlek_wrapped_paddr=vlek_wrapped_address")),
    "vlek_wrapped": Layout("sev_user_data_snp_wrapped_vlek_hashstick"),
    "feature_info_command": Layout("sev_data_snp_feature_info"),
    "feature_info": Layout("snp_feature_info"),
    "gctx_create": Layout("sev_data_snp_addr", stems("gctx_paddr=address")),
    "decommission": Layout("sev_data_snp_addr", stems("gctx_paddr=address")),
    "activate": Layout("sev_data_snp_activate"),
    "guest_status_command": Layout("sev_data_snp_guest_status", stems("status_paddr=address")),
    "launch_start": Layout(
        "sev_data_snp_launch_start", stems("desired_tsc_freq=desired_tsc_khz")),
    "launch_update": Layout("sev_data_snp_launch_update", stems("page_paddr=address")),
    "launch_finish": Layout("sev_data_snp_launch_finish"),
    "guest_request": Layout(
        "sev_data_snp_guest_request", stems("request_paddr=req_paddr response_paddr=res_paddr")),
    "dbg": Layout("sev_data_snp_dbg", stems("src_paddr=src_addr dst_paddr=dst_addr")),
    "reclaim": Layout("sev_data_snp_page_reclaim", stems("page=paddr")),
    "unsmash": Layout("sev_data_snp_page_unsmash", stems("page_paddr=paddr")),
    "rmp_operand": Layout("rmp_state", stems("page_size=pagesize")),
}
# What goes into the braces is the name in capitals, unless a stem is given. A lone "{}" takes
# given stems alone: C has no counterpart of the other names. "info" is added to every MSR word.
CODES: dict[str, tuple[str, Mapping[str, str]]] = {
    # Words: the mask of each field.
    "msr_sev_info_resp": ("{}", {
        "c_bit": "BODY(GHCB_MSR_SEV_INFO(0ULL, 0ULL, ~0ULL))",
        "min_version": "READS(GHCB_MSR_PROTO_MIN)",
        "max_version": "READS(GHCB_MSR_PROTO_MAX)"}),
    "msr_cpuid_req": ("(u64)GHCB_MSR_CPUID_{0}_MASK << GHCB_MSR_CPUID_{0}_POS", stems(
        "register=REG function=FUNC")),
    "msr_cpuid_resp": ("(u64)GHCB_MSR_CPUID_{0}_MASK << GHCB_MSR_CPUID_{0}_POS", stems(
        "register=REG")),
    "msr_ap_reset_hold_resp": (
        "GHCB_MSR_AP_RESET_HOLD_{0}_MASK << GHCB_MSR_AP_RESET_HOLD_{0}_POS", {}),
    "msr_pref_ghcb_gpa_resp": ("GHCB_MSR_{0}_MASK << GHCB_MSR_{0}_POS", stems("gfn=GPA_VALUE")),
    "msr_reg_ghcb_gpa_req": ("BODY(GHCB_MSR_{}(~0ULL))", stems("gfn=REG_GPA_REQ_VAL")),
    "msr_reg_ghcb_gpa_resp": ("READS(GHCB_MSR_{})", stems("gfn=REG_GPA_RESP_VAL")),
    "msr_psc_req": ("BODY(GHCB_MSR_PSC_REQ_GFN({}))", {
        "gfn": "~0ULL, 0ULL", "operation": "0ULL, ~0ULL"}),
    "msr_psc_resp": ("READS(GHCB_MSR_{})", stems("error_code=PSC_RESP_VAL")),
    "msr_run_vmpl_req": ("BODY(GHCB_MSR_VMPL_REQ_{}(~0ULL))", stems("vmpl=LEVEL")),
    "msr_run_vmpl_resp": ("READS(GHCB_MSR_{})", stems("error_code=VMPL_RESP_VAL")),
    "msr_hv_features_resp": ("READS(GHCB_MSR_{})", stems("features=HV_FT_RESP_VAL")),
    "msr_term_req": ("GHCB_SEV_TERM_REASON({})", {
        "reason_set": "~0ULL, 0ULL", "reason_code": "0ULL, ~0ULL"}),
    "term_nae_info1": ("SVM_VMGEXIT_TERM_REASON({})", {
        "reason_set": "~0ULL, 0ULL", "reason_code": "0ULL, ~0ULL"}),
    "ioio_info": ("{}", {
        "in": "SVM_IOIO_TYPE_MASK", "string": "SVM_IOIO_STR_MASK", "rep": "SVM_IOIO_REP_MASK",
        **{f"size{8 << n}": f"{1 << n} << SVM_IOIO_SIZE_SHIFT" for n in range(3)},
        **{f"addr{16 << n}": f"{1 << n} << SVM_IOIO_ASIZE_SHIFT" for n in range(3)}}),
    "event_inject": ("(u32)SVM_EVTINJ_{}", stems(
        "vector=VEC_MASK type=TYPE_MASK error_code_valid=VALID_ERR")),
    "guest_request_info2": ("{}", {
        "fw_error": "SNP_GUEST_FW_ERR_MASK", "vmm_error": "SNP_GUEST_VMM_ERR(0xffffffffULL)"}),
    "psc_entry": ("BITS(struct psc_entry, {})", stems(
        "cur_page=cur_page gfn=gfn operation=operation page_size=pagesize")),
    "svsm_pvalidate_entry": ("BITS(struct svsm_pvalidate_entry, {})", stems(
        "page_size=page_size action=action ignore_cf=ignore_cf pfn=pfn")),
    "hv_features": ("GHCB_HV_FT_{}", {}),
    "sev_features": ("SVM_SEV_FEAT_{}", {}),
    "init_flags": ("BITS_AT(struct sev_data_snp_init_ex, {}, 0x0)", same(
        "init_rmp list_paddr_en rapl_dis ciphertext_hiding_en tio_en")),
    "shutdown_flags": ("BITS_AT(struct sev_data_snp_shutdown_ex, {}, 0x4)", same(
        "iommu_snp_shutdown x86_snp_shutdown")),
    "rmp_flags": ("BITS_AT(struct sev_user_data_snp_status, {}, 0x3)", stems(
        "is_rmp_init=is_rmp_initialized alias_check_complete=alias_check_complete "
        "is_tio_en=is_tio_en")),
    "platform_flags": ("BITS_AT(struct sev_user_data_snp_status, {}, 0x8)", same(
        "mask_chip_id mask_chip_key vlek_en feature_info rapl_dis ciphertext_hiding_cap "
        "ciphertext_hiding_en tio_en")),
    "config_flags": ("BITS_AT(struct sev_user_data_snp_config, {}, 0x8)", same(
        "mask_chip_id mask_chip_key")),
    "launch_start_flags": ("BITS_AT(struct sev_data_snp_launch_start, {}, 0x18)", same(
        "ma_en imi_en")),
    "launch_page": ("BITS_AT(struct sev_data_snp_launch_update, {}, 0x8)", same(
        "page_size page_type imi_page")),
    "launch_permissions": ("BITS_AT(struct sev_data_snp_launch_update, {}, 0x18)", same(
        "vmpl1_perms vmpl2_perms vmpl3_perms")),
    "launch_finish_flags": ("BITS_AT(struct sev_data_snp_launch_finish, {}, 0x18)", stems(
        "id_block_en=id_block_en auth_key_en=auth_key_en vcek_dis=vcek_disabled")),
    "feature_ebx": ("SNP_{}_SUPPORTED", {}),
    "feature_ecx": ("SNP_{}_SUPPORTED", stems(
        "x86_snp_shutdown=X86_SHUTDOWN rapl_dis=RAPL_DISABLE "
        "ciphertext_hiding=CIPHER_TEXT_HIDING")),
    "guest_policy": ("SNP_POLICY_MASK_{}", stems(
        "abi_minor=API_MINOR abi_major=API_MAJOR reserved_must_be_one=RSVD_MBO")),
    "sev_policy": ("SEV_POLICY_MASK_{}", {}),
    "command_request": ("PSP_CMDRESP_{}", stems("command_id=CMD response=RESP")),
    "command_response": ("PSP_CMDRESP_{}", stems("status=STS response=RESP")),
    "rmpadjust_rdx": ("{}", stems("vmsa=RMPADJUST_VMSA_PAGE_BIT")),
    "npf_exitinfo1": ("PFERR_{}_MASK", stems(
        "reserved_bit=RSVD rmp=GUEST_RMP gpa_final=GUEST_FINAL gpa_page_table=GUEST_PAGE "
        "enc=GUEST_ENC sizem=GUEST_SIZEM vmpl=GUEST_VMPL sss=GUEST_SSS")),
    "page_fault": ("X86_PF_{}", stems(
        "present=PROT reserved_bit=RSVD fetch=INSTR protection_key=PK shadow_stack=SHSTK")),
    # Enums: the code.
    "command": ("SEV_CMD_{}", stems(
        "PLATFORM_RESET=FACTORY_RESET LAUNCH_SECRET=LAUNCH_UPDATE_SECRET "
        "ATTESTATION=ATTESTATION_REPORT")),
    "sev_platform_state": ("SEV_STATE_{}", {}),
    "launch_page_type": ("SNP_PAGE_TYPE_{}", stems("SECRETS=SECRET")),
    "rmpupdate_result": ("RMPUPDATE_{}", {}),
    "psmash_result": ("PSMASH_{}", {}),
    "pvalidate_result": ("PVALIDATE_{}", {}),
    "ghcb_usage": ("{}", stems("STANDARD=GHCB_DEFAULT_USAGE")),
    "msr_info": ("GHCB_MSR_{}", stems(
        "PREF_GHCB_GPA_REQ=PREF_GPA_REQ PREF_GHCB_GPA_RESP=PREF_GPA_RESP "
        "REG_GHCB_GPA_REQ=REG_GPA_REQ REG_GHCB_GPA_RESP=REG_GPA_RESP "
        "RUN_VMPL_REQ=VMPL_REQ RUN_VMPL_RESP=VMPL_RESP "
        "HV_FEATURES_REQ=HV_FT_REQ HV_FEATURES_RESP=HV_FT_RESP")),
    "cpuid_register": ("GHCB_CPUID_REQ_{}", {}),
    "term_reason_set": ("SEV_TERM_SET_{}", stems("GHCB_SPEC=GEN")),
    "term_reason_spec": ("GHCB_{}", stems(
        "GENERAL=SEV_ES_GEN_REQ PROTOCOL_UNSUPPORTED=SEV_ES_PROT_UNSUPPORTED "
        "SNP_FEATURES_UNSUPPORTED=SNP_UNSUPPORTED")),
    "term_reason_linux": ("GHCB_TERM_{}", {}),
    "svm_exit_code": ("SVM_EXIT_{}", {
        **{f"{r}{n}_{way}": f"{way}_{r}{n}"
           for r in ("CR", "DR") for n in range(16) for way in ("READ", "WRITE")},
        **{f"EXCP{n}": f"EXCP_BASE + {n}" for n in range(32)},
        "INVALID_VMCB": "ERR", "BUSLOCK": "BUS_LOCK"}),
    "vmgexit_code": ("SVM_VMGEXIT_{}", stems(
        "AP_RESET_HOLD=AP_HLT_LOOP SNP_PAGE_STATE_CHANGE=PSC SNP_GUEST_REQUEST=GUEST_REQUEST "
        "SNP_EXT_GUEST_REQUEST=EXT_GUEST_REQUEST SNP_AP_CREATION=AP_CREATION SECURE_AVIC=SAVIC")),
    "ap_creation_request": ("SVM_VMGEXIT_AP_{}", {}),
    "ap_jump_table_request": ("SVM_VMGEXIT_{}_AP_JUMP_TABLE", {}),
    "secure_avic_request": ("SVM_VMGEXIT_SAVIC_{}", {}),
    "action": ("GHCB_HV_RESP_{}", {}),
    "malformed_input_reason": ("GHCB_ERR_{}", stems("GHCB_NOT_REGISTERED=NOT_REGISTERED")),
    "event_type": ("SVM_EVTINJ_TYPE_{} >> SVM_EVTINJ_TYPE_SHIFT", stems(
        "EXCEPTION=EXEPT SOFT_INT=SOFT")),
    "vmm_error": ("SNP_GUEST_VMM_ERR_{}", stems("KVM_GENERIC=GENERIC")),
    "psc_operation": ("SNP_PAGE_STATE_{}", {}),
    "psc_page_size": ("RMP_PG_{}", {}),
    "psc_return": ("VMGEXIT_PSC_ERROR_{}", stems("INVALID_HEADER=INVALID_HDR KVM_GENERIC=GENERIC")),
    "svsm_protocol": ("SVSM_{}_CALL(0) >> 32", {}),
    "svsm_core_call": ("SVSM_CORE_{}", {}),
    "svsm_attest_call": ("SVSM_ATTEST_{}", {}),
    "svsm_vtpm_call": ("SVSM_VTPM_{}", {}),
    "svsm_result": ("SVSM_{}", {
        "SUCCESS": "SUCCESS", "PVALIDATE_FAIL_SIZE_MISMATCH": "PVALIDATE_FAIL_SIZEMISMATCH",
        **{n: f"ERR_{n}" for n in (
            "INCOMPLETE", "UNSUPPORTED_PROTOCOL", "UNSUPPORTED_CALL", "INVALID_ADDRESS",
            "INVALID_FORMAT", "INVALID_PARAMETER", "INVALID_REQUEST", "BUSY")}}),
    "msg_type": ("SNP_MSG_{}", stems("INVALID=TYPE_INVALID")),
    "aead": ("SNP_AEAD_{}", {}),
    "status": ("SEV_RET_{}", stems(
        "INVALID_LENGTH=INVALID_LEN DF_FLUSH_REQUIRED=DFFLUSH_REQUIRED "
        "HARDWARE_PLATFORM=HWSEV_RET_PLATFORM HARDWARE_UNSAFE=HWSEV_RET_UNSAFE "
        "INVALID_CONFIG=INAVLID_CONFIG")),
    # Tables of single numbers: those named here.
    "meta": ("MSR_{}", stems(
        "msr_ghcb=AMD64_SEV_ES_GHCB msr_sev_status=AMD64_SEV msr_svsm_caa=SVSM_CAA")),
    "limits": ("{}", stems(
        "shared_buffer_size=GHCB_SHARED_BUF_SIZE psc_max_entries=VMGEXIT_PSC_MAX_COUNT "
        "linux_cert_blob_max=SEV_FW_BLOB_MAX_SIZE snp_cpuid_entries_max=SNP_CPUID_COUNT_MAX "
        "svsm_pvalidate_max_entries=SVSM_PVALIDATE_MAX_COUNT")),
    "rule": ("SEV_RET_{}", stems("NO_FW_CALL=NO_FW_CALL")),
}
# fmt: on
KNOWN = {
    "sev_init.flags size": "Linux has 32 bits, AMD-ASPFW 16",
    "sev_init_ex.flags size": "Linux has 32 bits, AMD-ASPFW 16",
    "svsm_attest_services.nonce_size size": "the specs follow coconut",
    "report_req.select size": "Linux has one reserved area that begins there",
}
