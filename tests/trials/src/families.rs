//! The families' list, as somebody may have written it who wants to harm the worker.

/// Any bytes, given as the CSV file of `jiashu ngo enrol`.
pub fn any_list(bytes: &[u8]) {
    jiashu_cli::ngo::trial::any_list(bytes);
}
