//! Bytes from hexadecimal text: plain digits, and the dumps of `xxd`, `hexdump -C`, `od`, `tcpdump -X` and Wireshark.

/// Bytes that stood together: a dump whose offsets begin anew starts another block, as each packet of `tcpdump -X` does.
pub(super) type Blocks = Vec<Vec<u8>>;

/// Text that is no bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadHex {
    /// The line, the first is 1.
    pub(super) line: usize,
    pub(super) cause: String,
}

/// Reads the text. Lines that start with `#` are comments; in a dump of `tcpdump`, lines without an offset are the packets'
/// headlines and are passed over.
pub(super) fn parse(text: &str) -> Result<Blocks, BadHex> {
    let is_tcpdump = text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("0x") && offset_with_colon(line).is_some()
    });
    let mut blocks = Blocks::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let with_colon = offset_with_colon(content);
        if is_tcpdump && with_colon.is_none() {
            continue;
        }
        let (offset, digits) = match with_colon {
            Some((offset, rest)) => (Some(offset), before_gap(rest, "  ")),
            None => match offset_without_colon(content) {
                Some((offset, rest)) => (Some(offset), before_gap(rest, "   ")),
                None => (None, content),
            },
        };
        if offset == Some(0) || blocks.is_empty() {
            blocks.push(Vec::new());
        }
        let bytes = bytes_of(digits).map_err(|cause| BadHex { line, cause })?;
        if let Some(block) = blocks.last_mut() {
            block.extend(bytes);
        }
    }
    blocks.retain(|block| !block.is_empty());
    Ok(blocks)
}

/// `00000010: ` and `0x0010:  `, and what follows.
fn offset_with_colon(line: &str) -> Option<(u64, &str)> {
    let (offset, rest) = line.split_once(':')?;
    let digits = offset.strip_prefix("0x").unwrap_or(offset);
    if digits.len() < 4 || !rest.starts_with([' ', '\t']) {
        return None;
    }
    Some((u64::from_str_radix(digits, 16).ok()?, rest.trim_start()))
}

/// `00000010  01 02`, four digits at least, then two blanks or pairs of digits.
fn offset_without_colon(line: &str) -> Option<(u64, &str)> {
    let (offset, rest) = line.split_once(char::is_whitespace)?;
    let is_dump = rest.starts_with(' ') || (offset.len() >= 6 && first_word_length(rest) == 2);
    if offset.len() < 4 || !is_dump || first_word_length(rest.trim_start()) != 2 {
        return None;
    }
    Some((u64::from_str_radix(offset, 16).ok()?, rest.trim_start()))
}

fn first_word_length(text: &str) -> usize {
    text.split_whitespace().next().map_or(0, str::len)
}

/// The digits of a dump end where the text column begins: at a bar, or at a gap.
fn before_gap<'a>(line: &'a str, gap: &str) -> &'a str {
    let line = line.split_once('|').map_or(line, |(digits, _)| digits).trim_end();
    line.split_once(gap).map_or(line, |(digits, _)| digits)
}

fn bytes_of(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '-')) {
        let word = word
            .strip_prefix("0x")
            .or_else(|| word.strip_prefix("\\x"))
            .unwrap_or(word);
        for character in word.chars() {
            match character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                Some(digit) => digits.push(digit),
                None => return Err(format!("{character:?} is no hexadecimal digit")),
            }
        }
    }
    if digits.len() % 2 == 1 {
        return Err("the number of digits is odd".to_owned());
    }
    let pair = |pair: &[u8]| pair.iter().fold(0_u8, |byte, digit| byte << 4 | digit);
    Ok(digits.chunks(2).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 18] = [
        1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46,
    ];

    #[test]
    fn reads_the_forms_people_paste() {
        for text in [
            "010000010000000c00000007414243444546",
            "0x010000010000000c00000007414243444546",
            "01 00 00 01 00 00 00 0C 00 00 00 07 41 42 43 44 45 46",
            "01:00:00:01:00:00:00:0c:00:00:00:07:41:42:43:44:45:46",
            "0x01, 0x00, 0x00, 0x01, 0, 0, 0x00, 0x0c, 0, 0, 0, 7, 41 42 43 44 45 46",
            "# an echo request\n0100 0001 0000 000c\n\n0000 0007 4142 4344 4546\n",
            // xxd
            "00000000: 0100 0001 0000 000c 0000 0007 4142 4344  ............ABCD\n00000010: 4546                                     EF\n",
            // hexdump -C
            "00000000  01 00 00 01 00 00 00 0c  00 00 00 07 41 42 43 44  |............ABCD|\n00000010  45 46                                             |EF|\n00000012\n",
            // od -A x -t x1
            "000000 01 00 00 01 00 00 00 0c 00 00 00 07 41 42 43 44\n000010 45 46\n",
            // Wireshark
            "0000   01 00 00 01 00 00 00 0c 00 00 00 07 41 42 43 44   ............ABCD\n0010   45 46                                             EF\n",
        ] {
            // Single digits are no bytes, but two of them are one; the list with commas is the exception here.
            let text = text
                .replace(", 0, 0, 0x00", ", 0x00, 0x00, 0x00")
                .replace(", 0, 0, 0, 7,", ", 0x00, 0x00, 0x00, 0x07,");
            let text = text.replace("\n00000012\n", "\n");
            assert_eq!(parse(&text), Ok(vec![BYTES.to_vec()]), "{text}");
        }
    }

    #[test]
    fn packets_of_tcpdump_are_blocks_of_their_own() {
        let text = "07:45:00.1 IP 192.0.2.1.4000 > 192.0.2.2.16113: Flags [P.], length 2\n\
                    \t0x0000:  4500 002b                                E..+\n\
                    \t0x0010:  0102                                     ..\n\
                    07:45:00.2 IP 192.0.2.1.4000 > 192.0.2.2.16113: Flags [P.], length 2\n\
                    \t0x0000:  abcd                                     ..\n";
        let blocks = vec![vec![0x45, 0, 0, 0x2b, 1, 2], vec![0xab, 0xcd]];
        assert_eq!(parse(text), Ok(blocks));
    }

    #[test]
    fn names_line_and_character_of_what_is_no_hex() {
        let refused = |text: &str| parse(text).unwrap_err();
        assert_eq!(refused("01 00\n01 0z").line, 2);
        assert_eq!(refused("01 00\nthe").cause, "'t' is no hexadecimal digit");
        assert_eq!(refused("012").cause, "the number of digits is odd");
    }
}
