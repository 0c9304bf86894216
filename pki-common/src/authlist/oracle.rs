//! What must hold for every text: the oracle of fuzzing and property tests.

use crate::authlist::{AuthList, AuthListFormat};

/// Imports `text` in every format and checks what must hold for any text: no panic; every refusal names lines
/// that exist; what was imported, exported in the same format and imported again, is the same list.
///
/// # Panics
/// When one of these does not hold. That is its purpose: fuzz targets and tests call it.
pub fn import_oracle(text: &str) {
    let lines = text.lines().count().max(1);
    // What a caller would do with the text's first guess; it must not panic either.
    let _guess = AuthListFormat::detect(text);
    for format in AuthListFormat::ALL {
        let list = match AuthList::import(format, text) {
            Ok(list) => list,
            Err(error) => {
                let _shown = error.to_string();
                for bad in error.bad_lines() {
                    // One more than there are: a TOML error may point behind the last line break.
                    assert!(
                        (1..=lines + 1).contains(&bad.line),
                        "{format}: {bad} of {lines} lines"
                    );
                }
                continue;
            }
        };
        for other in [
            format,
            AuthListFormat::AireOs,
            AuthListFormat::Csv,
            AuthListFormat::Toml,
        ] {
            match list.export(other) {
                Ok(exported) => {
                    let again = AuthList::import(other, &exported);
                    assert!(
                        again.as_ref() == Ok(&list),
                        "{format} as {other}: {list:?} became {again:?}:\n{exported}"
                    );
                }
                Err(error) => panic!("{other} must carry what was imported as {format}: {error}"),
            }
        }
    }
}
