extension ExplainPage {
    /// Two sets of colours, one layout. Wide pictures scroll inside their frame, the page never does sideways.
    static let style = """
        :root{--ink:#1c2430;--dim:#5a6675;--paper:#f3f5f8;--card:#fff;--line:#d5dbe2;--code:#f3f5f8;--fault:#b3261e;--risk:#8f5500;\
        --note:#1f5fa8;--good:#1e7a3c;--faultbg:#fdeceb;--riskbg:#fdf3e1;--goodbg:#e7f5eb}
        @media (prefers-color-scheme:dark){:root{--ink:#e3e8ee;--dim:#98a5b3;--paper:#0f1318;--card:#191f26;--line:#333d49;--code:#11161b;\
        --fault:#ff8a80;--risk:#ffc069;--note:#8ab8ff;--good:#7ddc9a;--faultbg:#2c1a1b;--riskbg:#2b2416;--goodbg:#15261b}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:62rem;padding:1.2rem 1rem 3rem;background:var(--paper);color:var(--ink);\
        font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
        h1{font-size:1rem;font-weight:600;color:var(--dim);margin:0 0 .7rem;overflow-wrap:anywhere}
        h2{font-size:1.25rem;margin:2.4rem 0 .8rem}
        h3{font-size:1rem;margin:0;overflow-wrap:anywhere;font-family:ui-monospace,"DejaVu Sans Mono",monospace}
        h3 small{color:var(--dim);font-weight:400}
        p{margin:.45rem 0;overflow-wrap:anywhere}ul{margin:.5rem 0;padding-left:1.2rem}li{margin:.15rem 0;overflow-wrap:anywhere}
        .verdict{border:1px solid;border-left-width:.45rem;border-radius:.6rem;padding:.7rem 1.1rem}
        .verdict.fault{border-color:var(--fault);background:var(--faultbg)}.verdict.risk{border-color:var(--risk);background:var(--riskbg)}
        .verdict.good{border-color:var(--good);background:var(--goodbg)}
        .says{font-size:1.2rem;line-height:1.45;font-weight:600}
        .chips{display:flex;flex-wrap:wrap;gap:.45rem;margin:.9rem 0}
        .chip{border:1px solid var(--line);border-radius:1rem;padding:.1rem .75rem;font-size:.88rem;color:var(--ink);background:var(--card);text-decoration:none}
        a.chip:hover,a.chip:focus{border-color:var(--note);color:var(--note)}
        .chip.fault{color:var(--fault);border-color:var(--fault)}.chip.risk{color:var(--risk);border-color:var(--risk)}
        .chip.note{color:var(--note);border-color:var(--note)}
        .sources,.dim,footer{color:var(--dim);font-size:.9rem}.sources li.risk{color:var(--risk)}footer{margin-top:3rem}
        .finding,figure{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1.1rem;margin:.9rem 0}
        .finding{border-left:.45rem solid var(--note)}.finding.fault{border-left-color:var(--fault)}.finding.risk{border-left-color:var(--risk)}
        .badge{font:700 .72rem/1 system-ui,sans-serif;text-transform:uppercase;letter-spacing:.06em;color:var(--card);background:var(--note);\
        border-radius:.3rem;padding:.2rem .45rem;margin-right:.3rem;vertical-align:.1em}
        .fault .badge{background:var(--fault)}.risk .badge{background:var(--risk)}
        .summary{font-weight:600}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;margin:.7rem 0;font-size:.93rem}
        dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
        .remedy{border-left:.2rem solid var(--good);padding-left:.8rem;margin:.6rem 0}.remedy b:first-child{color:var(--good);margin-right:.3rem}
        pre{white-space:pre-wrap;overflow-wrap:anywhere;font:.84rem/1.45 ui-monospace,"DejaVu Sans Mono",monospace;background:var(--code);\
        padding:.5rem .7rem;border:1px solid var(--line);border-radius:.4rem;margin:.35rem 0}
        details{margin:.3rem 0}summary{cursor:pointer;overflow-wrap:anywhere;font-size:.93rem}
        figure figcaption{font-weight:600;overflow-wrap:anywhere;margin-bottom:.6rem}
        .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;width:100%}
        th{color:var(--dim);font-weight:600}th,td{text-align:left;padding:.3rem .7rem;border-bottom:1px solid var(--line);vertical-align:top}
        td{overflow-wrap:anywhere;min-width:3.2rem}td.value{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.8rem;min-width:11rem}
        svg{width:100%;height:auto;display:block;margin:0 auto;font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
        svg text,svg text.dim{fill:var(--ink);font-size:13px}svg text.dim{fill:var(--dim)}svg text.bad{fill:var(--fault)}svg text.strong{font-weight:600}
        svg text.small{font-size:11.5px}
        svg .life,svg .axis{stroke:var(--line)}svg .plain line{stroke:var(--ink)}svg .plain polygon{fill:var(--ink)}
        svg .bad line{stroke:var(--fault);stroke-width:2}svg .bad polygon{fill:var(--fault)}
        svg .again line{stroke:var(--risk);stroke-dasharray:4 3}svg .again polygon{fill:var(--risk)}
        svg .error line{stroke:var(--note)}svg .error polygon{fill:var(--note)}
        svg path{fill:none;stroke-width:1.5}svg path.jitter{stroke:var(--note)}svg path.port{stroke:var(--dim);stroke-dasharray:3 3}
        svg rect.loss{fill:var(--fault)}svg circle.challenge{fill:var(--risk)}svg circle.answer{fill:var(--note)}svg circle.superseded{fill:var(--fault)}
        svg circle.accepted{fill:var(--good)}
        svg.screen{display:none}
        @media (max-width:44rem){svg.page{display:none}svg.screen{display:block}}
        @media (max-width:30rem){body{padding:.8rem .7rem 2rem}.says{font-size:1.08rem}.finding,figure{padding:.7rem .8rem}h2{font-size:1.15rem}\
        thead{display:none}tr{display:block;border-bottom:1px solid var(--line);padding:.35rem 0}\
        td,td.value{display:grid;grid-template-columns:7.5rem 1fr;border:0;padding:.1rem 0}td::before{content:attr(data-of);color:var(--dim);\
        font:.82rem system-ui,sans-serif}}
        @media print{body{max-width:none;background:none}.finding,figure{break-inside:avoid}}
        """
}
