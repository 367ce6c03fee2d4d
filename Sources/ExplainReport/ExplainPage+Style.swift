extension ExplainPage {
    /// Two sets of colours, one layout. Wide pictures scroll inside their frame, the page never does sideways.
    static let style = """
        :root{--ink:#1d2530;--dim:#5b6775;--paper:#fff;--card:#f5f7f9;--line:#c8d0d8;--fault:#b3261e;--risk:#9a5b00;--note:#1f5fa8;--good:#1e7a3c}
        @media (prefers-color-scheme:dark){:root{--ink:#e4e9ef;--dim:#9aa7b5;--paper:#12161b;--card:#1b2128;--line:#3a4552;--fault:#ff8a80;\
        --risk:#ffc069;--note:#8ab8ff;--good:#7ddc9a}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
        h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line)}
        h3{font-size:1rem;margin:.8rem 0 .4rem;overflow-wrap:anywhere}
        p{margin:.4rem 0;overflow-wrap:anywhere}ul{margin:.4rem 0;padding-left:1.2rem}
        .verdict{font-size:1.15rem;border-left:.4rem solid;padding:.4rem .8rem;background:var(--card)}
        .verdict.fault{border-color:var(--fault)}.verdict.risk{border-color:var(--risk)}.verdict.good{border-color:var(--good)}
        .dim,footer{color:var(--dim);font-size:.9rem}footer{margin:2rem 0 1rem}
        .finding{background:var(--card);border-left:.4rem solid var(--note);padding:.2rem 1rem .6rem;margin:.8rem 0;border-radius:.3rem}
        .finding.fault{border-color:var(--fault)}.finding.risk{border-color:var(--risk)}
        .badge{font-size:.75rem;text-transform:uppercase;letter-spacing:.05em;color:var(--note)}
        .fault .badge{color:var(--fault)}.risk .badge{color:var(--risk)}
        .remedy{font-weight:600}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;background:var(--paper);padding:.5rem;\
        border:1px solid var(--line);border-radius:.3rem;margin:.3rem 0}
        details{margin:.3rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
        .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}th,td{text-align:left;padding:.2rem .7rem;border-bottom:1px solid var(--line)}
        svg{width:100%;min-width:34rem;height:auto;display:block;font:12px system-ui,sans-serif}
        svg text{fill:var(--ink)}svg text.dim{fill:var(--dim)}svg text.bad{fill:var(--fault)}svg text.strong{font-weight:600}
        svg .life,svg .axis{stroke:var(--line)}svg .plain line{stroke:var(--ink)}svg .plain polygon{fill:var(--ink)}
        svg .bad line{stroke:var(--fault);stroke-width:2}svg .bad polygon{fill:var(--fault)}
        svg .again line{stroke:var(--risk);stroke-dasharray:4 3}svg .again polygon{fill:var(--risk)}
        svg .error line{stroke:var(--note)}svg .error polygon{fill:var(--note)}
        svg path{fill:none;stroke-width:1.5}svg path.jitter{stroke:var(--note)}svg path.port{stroke:var(--ink)}
        svg rect.loss{fill:var(--fault)}svg circle.challenge{fill:var(--risk)}svg circle.answer{fill:var(--note)}svg circle.superseded{fill:var(--fault)}
        svg circle.accepted{fill:var(--good)}
        """
}
