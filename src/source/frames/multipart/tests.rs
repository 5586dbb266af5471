// SPDX-License-Identifier: GPL-3.0-or-later
//! However senders write their parts, they are read alike.

use super::*;

/// Everything that comes out, fed in pieces of this size.
fn parts(boundary: &str, stream: &[u8], piece: usize) -> Result<Vec<Part>, PartError> {
    let mut parser = Parser::new(boundary, 1000);
    let mut all = vec![];
    for bytes in stream.chunks(piece) {
        parser.feed(bytes);
        while let Some(part) = parser.next()? {
            all.push(part);
        }
    }
    all.extend(parser.finish()?);
    Ok(all)
}

fn bodies(boundary: &str, stream: &[u8]) -> Result<Vec<Vec<u8>>, PartError> {
    let whole = parts(boundary, stream, usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(
            parts(boundary, stream, piece),
            whole,
            "in pieces of {piece}"
        );
    }
    Ok(whole?.into_iter().map(|p| p.body.to_vec()).collect())
}

#[test]
fn a_content_type_names_its_boundary() {
    let named = |text: &str| boundary(text);
    let mixed = "multipart/x-mixed-replace";
    assert_eq!(
        named(&format!("{mixed}; boundary=ab")),
        Some(Some("ab".into()))
    );
    assert_eq!(
        named(&format!("{mixed};boundary=\"--a b\"")),
        Some(Some("--a b".into()))
    );
    assert_eq!(
        named("Multipart/X-Mixed-Replace;a=b; Boundary=x"),
        Some(Some("x".into()))
    );
    assert_eq!(named(mixed), Some(None));
    assert_eq!(named(&format!("{mixed}; boundary=")), Some(None));
    assert_eq!(named("multipart/form-data; boundary=x"), None);
    assert_eq!(named("image/png"), None);
}

#[test]
fn parts_come_out_however_their_sender_writes_them() {
    // As ffmpeg's mpjpeg does, with a body that holds boundaries; then without lengths, with bare line feeds.
    let counted =
        b"--x\r\nContent-type: image/jpeg\r\nContent-length: 8\r\n\r\na\r\n--x\r\n\r\n--x\r\n\
                    Content-Length:1\r\n\r\nb\r\n--x--\r\nwhatever\r\n--x\r\n";
    assert_eq!(
        bodies("x", counted).unwrap(),
        [b"a\r\n--x\r\n".to_vec(), b"b".to_vec()]
    );
    let delimited = b"preamble\n--x\nA: b\n\nfirst\n--y\n--xx\n-x\n--x  \n\nsecond\r\n--x--";
    assert_eq!(
        bodies("x", delimited).unwrap(),
        [b"first\n--y\n--xx\n-x".to_vec(), b"second".to_vec()]
    );
    // The end may be left out.
    let open = b"--x\r\n\r\none\r\n--x\r\n\r\ntwo";
    assert_eq!(
        bodies("x", open).unwrap(),
        [b"one".to_vec(), b"two".to_vec()]
    );
    let at_boundary = b"--x\r\n\r\none\r\n--x\r\n";
    assert_eq!(bodies("x", at_boundary).unwrap(), [b"one".to_vec()]);
}

#[test]
fn dashes_of_the_name_may_be_counted_or_not() {
    for stream in [
        &b"--x\r\n\r\none\r\n--x--"[..],
        b"----x\r\n\r\none\r\n----x--",
    ] {
        assert_eq!(bodies("--x", stream).unwrap(), [b"one".to_vec()]);
    }
    let dashes = b"-----\r\n\r\none\r\n-------";
    assert_eq!(bodies("---", dashes).unwrap(), [b"one".to_vec()]);
}

#[test]
fn types_of_parts_are_told() {
    let stream = b"--x\r\ncontent-type: image/png; q=1\r\n\r\none\r\n--x\r\n\r\ntwo\r\n--x--";
    let all = parts("x", stream, usize::MAX).unwrap();
    assert_eq!(all[0].kind.as_deref(), Some("image/png; q=1"));
    assert_eq!(all[1].kind, None);
}

#[test]
fn what_is_no_stream_of_parts_is_refused_with_the_number_of_the_part() {
    for (stream, error) in [
        (&b"no boundary anywhere"[..], PartError::NoBoundary),
        (b"", PartError::NoBoundary),
        (b"--x\r\nno colon\r\n\r\n", PartError::Head(1)),
        (b"--x\r\nContent-Length: many\r\n\r\n", PartError::Head(1)),
        (b"--x\r\nContent-Length: -1\r\n\r\n", PartError::Head(1)),
        (
            b"--x\r\nContent-Length: 1001\r\n\r\n",
            PartError::TooLarge(1),
        ),
        (
            b"--x\r\n\r\none\r\n--x\r\nContent-Length: 9\r\n\r\nab",
            PartError::Cut(2),
        ),
        (b"--x\r\n\r\none\r\n--x\r\nContent-Ty", PartError::Cut(2)),
        (
            b"--x\r\nContent-Length: 2\r\n\r\nabcdef\r\n--x--",
            PartError::Length(1),
        ),
    ] {
        assert_eq!(
            bodies("x", stream),
            Err(error),
            "{}",
            String::from_utf8_lossy(stream)
        );
    }
}

#[test]
fn nothing_grows_without_bound() {
    for head in [
        "",
        "--x\r\n",
        "--x\r\n\r\n",
        "--x\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let mut parser = Parser::new("x", 1000);
        parser.feed(head.as_bytes());
        let mut refused = false;
        for _ in 0..100 {
            parser.feed(&[b'a'; 1000]);
            refused = refused || parser.next().is_err();
            assert!(refused || parser.read.len() < 1000 + 2 * MOST_HEAD);
        }
        assert!(refused, "{head:?}");
    }
}
