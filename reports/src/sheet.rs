//! What all pages of ours are written on: one self-contained file each, no script, no network, light or dark as the reader's screen is.
//!
//! Knows paper, ink and sizes, and nothing of what is reported.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page with this title and these parts.
pub(crate) fn sheet(title: &str, parts: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (parts) } }
        }
    };
    page.into_string()
}

/// What is worth seeing first: a few amounts with their names.
pub(crate) fn tiles(amounts: &[(&str, String)]) -> Markup {
    html! { dl.tiles { @for (name, value) in amounts { div { dt { (name) } dd { (value) } } } } }
}

const STYLE: &str = "
:root{--ink:#1f2933;--muted:#66717d;--grid:#e2e6ea;--paper:#ffffff;--back:#f5f6f8;--good:#0b7a55;--bad:#c62828;--open:#9a6700;--link:#1f6fb2}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--muted:#98a3ae;--grid:#313a44;--paper:#191e24;--back:#11151a;--good:#3ecf9a;--bad:#ff7b72;--open:#e3b341;--link:#6cb6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:24px 20px 60px}
.brand{margin:0;font-weight:600}
h1{margin:0 0 4px;font-size:40px;line-height:1.2}
h2{margin:0 0 10px;font-size:20px}
h3{font-size:16px;margin:18px 0 6px}
section{background:var(--paper);border:1px solid var(--grid);border-radius:8px;padding:18px 20px;margin-top:20px}
.muted{color:var(--muted);font-weight:400}
td .muted{font-size:13px}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}.none{color:var(--muted)}
a{color:var(--link)}
.reasons{margin:0;padding-left:20px}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0 0}
.tiles div{background:var(--paper);border:1px solid var(--grid);border-radius:8px;padding:10px 16px;min-width:150px}
.tiles dt{color:var(--muted);font-size:13px}
.tiles dd{margin:0;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
table.facts{width:auto;min-width:420px}
th{text-align:left;font-weight:600;color:var(--muted);font-size:13px;vertical-align:bottom}
th,td{padding:7px 10px;border-bottom:1px solid var(--grid)}
td{vertical-align:top}
tbody tr:last-child td{border-bottom:0}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code.id{font-weight:600;margin-right:4px}
pre{background:var(--back);border:1px solid var(--grid);border-radius:6px;padding:12px;overflow-x:auto}
.status{font-weight:600;white-space:nowrap}
summary{cursor:pointer;padding:4px 0}
figure{margin:0 0 26px}
figure:last-child{margin-bottom:0}
figure svg{display:block;height:auto;max-width:1180px}
figcaption{color:var(--muted);font-size:14px;margin-top:4px}
@media print{
@page{margin:14mm}
:root{--ink:#1f2933;--muted:#66717d;--grid:#e2e6ea;--paper:#ffffff;--back:#ffffff}
body{font-size:10px}
main{max-width:none;padding:0}
h1{font-size:26px}
section{padding:8px 10px;margin-top:10px}
th,td{padding:3px 5px}
th,td .muted,figcaption{font-size:9px}
code,pre{font-size:9px;overflow-wrap:anywhere;white-space:pre-wrap}
.wide{overflow:visible}
.number,.status{white-space:normal}
tr,figure{break-inside:avoid}
figure svg{max-width:100%}
}
";
