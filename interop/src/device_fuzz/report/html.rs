//! The report for people: one file, nothing fetched, readable without colours and without a mouse.

use std::path::Path;

use super::super::resume::{Finding, State};
use super::super::verdict::Verdict;
use super::{escaped, replay_command, script};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}\
table{border-collapse:collapse;margin:1rem 0}caption{text-align:left;font-weight:600;padding-bottom:.4rem}\
th,td{border:1px solid #767676;padding:.25rem .6rem;text-align:left}td.n{text-align:right}\
thead th{background:#f0f0f0}pre{overflow:auto;background:#f6f6f6;border:1px solid #767676;padding:.6rem;\
white-space:pre-wrap;overflow-wrap:anywhere}section{border-top:2px solid #767676;margin-top:2rem}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}thead th,pre{background:#262626}}";

/// The report of a run whose files are in `folder`.
#[must_use]
pub fn render(state: &State, folder: &Path) -> String {
    let title = escaped(&format!(
        "Robustness of {} ({})",
        state.identity.target, state.identity.grammar
    ));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    summary(state, &mut out);
    verdicts(state, &mut out);
    for finding in &state.findings {
        section(finding, folder, &mut out);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// Appends a line.
macro_rules! put {
    ($out:expr, $($argument:tt)*) => { $out.push_str(&format!($($argument)*)); $out.push('\n') };
}

fn summary(state: &State, out: &mut String) {
    let result = match state.findings.len() {
        0 => "Nothing was found.".to_owned(),
        1 => "There is one finding.".to_owned(),
        count => format!("There are {count} findings."),
    };
    put!(out, "<p><strong>{result}</strong></p>");
    out.push_str("<table>\n<caption>The run</caption>\n<tbody>\n");
    let seconds = state.elapsed_milliseconds / 1000;
    let rows = [
        ("Seed", state.identity.seed.to_string()),
        ("Cases", state.next.to_string()),
        ("Time", format!("{seconds} s")),
        ("Bytes sent, before encryption", state.bytes.to_string()),
        ("Connections", state.connections.to_string()),
        ("Sign of life after each case", state.question.clone()),
        (
            "Ended because",
            state.ended.clone().unwrap_or_else(|| "it goes on".to_owned()),
        ),
        ("Version of the tester", state.version.clone()),
    ];
    for (name, value) in rows {
        put!(
            out,
            "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>",
            escaped(&value)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn verdicts(state: &State, out: &mut String) {
    out.push_str("<table>\n<caption>Verdicts by layer and mutation</caption>\n<thead>\n<tr>");
    out.push_str("<th scope=\"col\">Layer</th><th scope=\"col\">Mutation</th>");
    for verdict in Verdict::ALL {
        put!(out, "<th scope=\"col\">{verdict}</th>");
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    for (layer, mutations) in &state.mutations {
        for (mutation, verdicts) in mutations {
            put!(
                out,
                "<tr><td>{layer}</td><th scope=\"row\">{}</th>",
                escaped(mutation)
            );
            for verdict in Verdict::ALL {
                put!(
                    out,
                    "<td class=\"n\">{}</td>",
                    verdicts.get(&verdict).unwrap_or(&0)
                );
            }
            out.push_str("</tr>\n");
        }
    }
    out.push_str("</tbody>\n</table>\n");
}

fn section(finding: &Finding, folder: &Path, out: &mut String) {
    let number = finding.number;
    put!(
        out,
        "<section aria-labelledby=\"finding-{number}\">\n<h2 id=\"finding-{number}\">Finding {number}: {}</h2>",
        escaped(&format!("{}, {}", finding.case.layer, finding.case.name))
    );
    put!(out, "<p>{}</p>", escaped(&finding.harm.to_string()));
    if finding.repeated > 0 {
        put!(
            out,
            "<p>Further cases of this kind that did the same: {}.</p>",
            finding.repeated
        );
    }
    out.push_str("<h3>Repeat it</h3>\n");
    put!(
        out,
        "<pre><code>{}</code></pre>",
        escaped(&replay_command(finding, folder))
    );
    if let Some(minimal) = &finding.minimal {
        out.push_str("<h3>The smallest case</h3>\n");
        put!(out, "<pre tabindex=\"0\">{}</pre>", escaped(&script(minimal)));
    }
    put!(out, "<p>{}</p>", escaped(&finding.minimisation));
    put!(
        out,
        "<h3>The case that it was found by (case {} of seed {})</h3>",
        finding.case.index,
        finding.case.seed
    );
    out.push_str("<ul>\n");
    for seen in &finding.seen {
        put!(out, "<li>{}</li>", escaped(seen));
    }
    out.push_str("</ul>\n");
    put!(
        out,
        "<details>\n<summary>Its {} steps, {} bytes</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n</section>",
        finding.case.script.len(),
        finding.case.bytes(),
        escaped(&script(&finding.case))
    );
}
