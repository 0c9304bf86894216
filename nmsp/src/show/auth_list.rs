//! `show auth-list`.

use super::line;
use super::state::State;

/// The three columns of AireOS: MAC address, certificate type, key hash. A controller without an authlist says so.
#[must_use]
pub fn auth_list(state: &State) -> String {
    let mut out = String::new();
    let Some(list) = &state.auth_list else {
        return "No authlist: whoever has a certificate of the trust store is admitted.\n".to_owned();
    };
    line(
        &mut out,
        format_args!("{:<24}{:<17}Key Hash", "Mac Addr", "Cert Type"),
    );
    line(&mut out, format_args!("{:-<22}  {:-<15}  {:-<64}", "", "", ""));
    for entry in list.entries.iter().flatten() {
        let cert_type = entry.cert_type.as_str().to_ascii_uppercase();
        let hash = entry.key_hash.map(|hash| hash.to_string()).unwrap_or_default();
        let row = format!("{:<24}{cert_type:<17}{hash}", entry.mac.to_string());
        line(&mut out, format_args!("{}", row.trim_end()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn prints_the_three_columns_of_aireos() {
        assert_eq!(
            auth_list(&sample::state()),
            "\
Mac Addr                Cert Type        Key Hash
----------------------  ---------------  ----------------------------------------------------------------
00:14:6a:1b:37:44       LBS-SSC          9e4ddd8dfcdd8458ba7b273fc37284b31a384eb9
00:50:56:9c:34:89       LSC
"
        );
    }

    #[test]
    fn a_controller_without_an_authlist_says_so() {
        assert!(auth_list(&State::default()).starts_with("No authlist"));
    }
}
