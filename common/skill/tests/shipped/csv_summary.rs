use std::fmt::Write;

use openclaw_skill::eligibility::Runnable;
use serde_json::{Value, json};

use super::{Attempt, own_test, python_skill};

fn csv_summary() -> Option<Runnable> {
    python_skill("csv-summary")
}

fn summary(skill: &Runnable, params: &Value, name: &str, content: impl AsRef<[u8]>) -> Value {
    Attempt::run(skill, params, &[(name, content.as_ref())]).result()
}

#[test]
fn csv_summary_passes_its_own_test() {
    let Some(skill) = csv_summary() else { return };
    own_test(&skill);
}

#[test]
fn csv_summary_finds_the_delimiter_and_takes_the_one_it_is_told() {
    let Some(skill) = csv_summary() else { return };
    let delimiter = |name: &str, content: &str| {
        let result = summary(&skill, &json!({}), name, content);
        let columns = result["columns"].as_array().expect("columns").len();
        (result["delimiter"].clone(), columns)
    };
    assert_eq!(
        delimiter("a.csv", "a;b;c\n1,5;2;3\n4,5;5;6\n"),
        (json!(";"), 3)
    );
    assert_eq!(delimiter("a.txt", "a\tb\nx, y\tz, w\n"), (json!("\t"), 2));
    assert_eq!(delimiter("a.csv", "a|b\n1|2\n"), (json!("|"), 2));
    assert_eq!(delimiter("a.csv", "\"a;b;c;d\",e\n1,2\n"), (json!(","), 2));
    assert_eq!(delimiter("a.csv", "one\n1\n"), (json!(","), 1));
    assert_eq!(delimiter("a.tsv", "one\n1\n"), (json!("\t"), 1));
    let told = summary(
        &skill,
        &json!({"delimiter": "semicolon"}),
        "a.csv",
        "a,b;c\n1,2;3\n",
    );
    assert_eq!(told["columns"][0]["name"], "a,b");
}

#[test]
fn csv_summary_reads_what_spreadsheets_write() {
    let Some(skill) = csv_summary() else { return };
    let text =
        "\u{feff}id,note\r\n1,\"two\r\nlines, \"\"quoted\"\"\"\r\n\r\n2,\r\n3\r\n4,x,too much\r\n";
    let result = summary(&skill, &json!({}), "a.csv", text);
    assert_eq!(
        (&result["rows"], &result["ragged_rows"]),
        (&json!(4), &json!(2))
    );
    let (id, note) = (&result["columns"][0], &result["columns"][1]);
    assert_eq!((&id["name"], &id["mean"]), (&json!("id"), &json!(2.5)));
    assert_eq!((&note["count"], &note["empty"]), (&json!(2), &json!(2)));
    assert_eq!(note["top"][0]["value"], "two\r\nlines, \"quoted\"");

    let bare = summary(&skill, &json!({"header": false}), "a.csv", "1,-2\n3,4e2\n");
    assert_eq!(bare["rows"], 2);
    let second = &bare["columns"][1];
    assert_eq!(
        (&second["name"], &second["type"]),
        (&json!("column 2"), &json!("number"))
    );
    assert_eq!(
        (&second["min"], &second["max"]),
        (&json!(-2), &json!(400.0))
    );

    let header_only = summary(&skill, &json!({}), "a.csv", "a,,a");
    let names: Vec<_> = (0..3)
        .map(|at| header_only["columns"][at]["name"].clone())
        .collect();
    assert_eq!(names, ["a", "column 2", "a"]);
    assert_eq!(
        (&header_only["rows"], &header_only["columns"][0]["type"]),
        (&json!(0), &json!("empty"))
    );

    let latin = summary(
        &skill,
        &json!({"encoding": "windows-1252"}),
        "a.csv",
        b"city\nK\xf6ln\n",
    );
    assert_eq!(latin["columns"][0]["top"][0]["value"], "Köln");
}

#[test]
fn csv_summary_calls_a_number_only_what_is_one() {
    let Some(skill) = csv_summary() else { return };
    let columns = [
        (["1", "-2", " +3 "], "integer"),
        (["1", "2.5", "1e9"], "number"),
        (["0", "", ".5"], "number"),
        (["1", "", "123456789012345678901234567890"], "number"),
        (["true", "No", ""], "boolean"),
        (["2026-02-28", "", ""], "date"),
        (["2026-02-28", "", "2026-02-30"], "text"),
        (["1", "true", ""], "text"),
        (["1", "01067", ""], "text"),
        (["1", "nan", ""], "text"),
        (["1", "inf", ""], "text"),
        (["1", "1_000", ""], "text"),
        (["1", "0x10", ""], "text"),
        (["1", "1e999", ""], "text"),
        (["1", "٣", ""], "text"),
        (["1", "1 2", ""], "text"),
        (["", " ", ""], "empty"),
    ];
    let text: String = (0..3)
        .map(|row| columns.map(|(values, _)| values[row]).join(",") + "\n")
        .collect();
    let params = json!({"header": false, "delimiter": ","});
    let result = summary(&skill, &params, "a.csv", text);
    for (at, (values, kind)) in columns.iter().enumerate() {
        assert_eq!(result["columns"][at]["type"], *kind, "{values:?}");
    }
    let huge = summary(&skill, &json!({}), "a.csv", "n\n1e308\n1e308\n");
    assert_eq!(huge["columns"][0]["mean"], Value::Null);
}

#[test]
fn csv_summary_says_where_it_stopped_remembering() {
    let Some(skill) = csv_summary() else { return };
    let long = "x".repeat(5000);
    let mut text = String::from("id,same,long\n");
    for id in 0..30_000 {
        writeln!(text, "{id},same,{long:.200}{}", id % 2).expect("written");
    }
    let result = summary(&skill, &json!({"top": 2}), "big.csv", text);
    let [id, same, long] = [0, 1, 2].map(|at| &result["columns"][at]);
    assert_eq!(result["rows"], 30_000);
    assert_eq!(
        (&id["distinct"], &id["distinct_exact"]),
        (&json!(10_000), &json!(false))
    );
    assert_eq!((&id["min"], &id["max"]), (&json!(0), &json!(29_999)));
    assert_eq!(
        (&id["mean"], &id["count"]),
        (&json!(14_999.5), &json!(30_000))
    );
    assert_eq!(same["top"], json!([{"value": "same", "count": 30_000}]));
    assert_eq!(
        (&long["distinct"], &long["distinct_exact"]),
        (&json!(2), &json!(true))
    );
    let shown = long["top"][0]["value"].as_str().expect("text");
    assert_eq!(shown, format!("{}…", "x".repeat(100)));
}

#[test]
fn csv_summary_says_what_is_wrong_and_whose_fault_it_is() {
    let Some(skill) = csv_summary() else { return };
    let refusal = |params: Value, content: &[u8]| {
        Attempt::run(&skill, &params, &[("a.csv", content)]).refusal()
    };
    for (content, says) in [
        (
            b"".as_slice(),
            "csv-summary: a.csv is empty: there is not even a header",
        ),
        (
            b"\xef\xbb\xbf\n\n",
            "csv-summary: a.csv is empty: there is not even a header",
        ),
        (
            b"a,b\n1,\xff\n",
            "csv-summary: a.csv is not utf-8 text (after line ",
        ),
        (
            b"a,b\n1,\0\n",
            "csv-summary: a.csv line 2 holds a NUL: it is no utf-8 text",
        ),
        (
            b"a,b\n1,2\n3,\"4\n5,6\n",
            "csv-summary: a.csv lines 3 to 4: quotes that do not match",
        ),
        (
            b"a,b\n1,\"2\"3\n",
            "csv-summary: a.csv line 2: quotes that do not match",
        ),
    ] {
        let (code, text) = refusal(json!({}), content);
        assert_eq!(code, Some(65), "{text}");
        assert!(text.starts_with(says), "{text}");
    }
    let (code, text) = refusal(json!({}), "x".repeat(5 * 1024 * 1024).as_bytes());
    assert_eq!(code, Some(65), "{text}");
    assert!(
        text.contains("the record at line 1 is longer than 4194304 characters"),
        "{text}"
    );
    let open = format!("a,b\n1,\"{}", "x,y\n".repeat(2_000_000));
    let (code, text) = refusal(json!({"delimiter": ","}), open.as_bytes());
    assert_eq!(code, Some(65), "{text}");
    assert!(text.contains("the record at line 2 is longer"), "{text}");
    assert_eq!(refusal(json!({}), ",".repeat(3000).as_bytes()).0, Some(65));

    for params in [
        json!({"top": -1}),
        json!({"top": true}),
        json!({"header": "yes"}),
        json!({"delimiter": "ab"}),
        json!({"delimiter": "\""}),
        json!({"delimiter": ""}),
        json!({"delimiter": 5}),
        json!({"encoding": "rot13"}),
        json!({"encoding": ["utf-8"]}),
        json!(["a"]),
    ] {
        assert_eq!(
            refusal(params.clone(), b"a,b\n1,2\n").0,
            Some(64),
            "{params}"
        );
    }
    assert_eq!(refusal(json!({"file": "../a.csv"}), b"a\n").0, Some(66));
    assert_eq!(refusal(json!({"file": 1}), b"a\n").0, Some(66));
    assert_eq!(
        Attempt::run(&skill, &Value::Null, &[]).refusal().0,
        Some(66)
    );
}
