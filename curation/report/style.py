"""The page's style: one column on a phone, cards side by side on a laptop, light and dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --text: #1b2230; --soft: #5a6577; --ground: #f5f6f8; --card: #fff; --line: #dfe3ea; --link: #1f5fb4;
  --kept: #3f7fd1; --changed: #d2a02c; --removed: #cf5f3f; --quarantined: #8a63c7; --curated: #2b9a83; --cut: #f9d5ca;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e3e8f0; --soft: #98a4b6; --ground: #12161d; --card: #1a2029; --line: #2e3746; --link: #82b4f2;
    --kept: #5b97e0; --changed: #d9ae4a; --removed: #de7a5c; --quarantined: #a583dc; --curated: #45b39c; --cut: #5a2c1f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem;
  background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: clamp(1.6rem, 5vw, 2.25rem); line-height: 1.15; letter-spacing: -.015em; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; line-height: 1.25; letter-spacing: -.01em; margin: 3rem 0 .35rem; scroll-margin-top: 1rem; }
h3 { font-size: 1rem; line-height: 1.4; margin: 1.5rem 0 .6rem; }
.head h3 { margin: 0; }
p { margin: 0 0 1rem; max-width: 54rem; }
a { color: var(--link); text-underline-offset: .15em; }
code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.lead { color: var(--soft); font-size: 1.0625rem; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
nav {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.5rem 0 0; padding: .6rem 0;
  border-block: 1px solid var(--line); font-size: .9375rem;
}
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.75rem, 1fr)); gap: .75rem; margin: 1.25rem 0; padding: 0; }
.tiles div, .card, .chart, .scroll { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.tiles div { display: flex; flex-direction: column-reverse; justify-content: flex-end; padding: .8rem .9rem .75rem; }
.tiles dt { color: var(--soft); font-size: .8125rem; line-height: 1.35; }
.tiles dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.25; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }

.card { padding: 1rem 1.1rem; margin: 0 0 .75rem; }
.card > :last-child { margin-bottom: 0; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .1rem 1.5rem; margin: 0 0 .6rem; }
.head p { margin: 0; font-variant-numeric: tabular-nums; }
.head .soft::before { content: "· "; }
.bar { display: block; border-radius: .3rem; background: var(--ground); }
.fates { margin: .7rem 0 0; padding: 0; list-style: none; font-size: .9375rem; }
.fates li { display: grid; grid-template-columns: minmax(max-content, 16rem) 1fr auto 4.5rem; gap: .1rem 1rem; padding: .15rem 0; }
.fates li > :first-child { padding-left: 1.2rem; text-indent: -1.2rem; }
.why { color: var(--soft); }
.swatch { display: inline-block; width: .7rem; height: .7rem; margin-right: .5rem; border-radius: .2rem; background: var(--colour); }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; color: var(--soft); font-size: .875rem; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: .75rem; margin: 1rem 0; }
.wide { grid-column: 1 / -1; }
.chart { margin: 0; padding: .9rem 1rem .7rem; min-width: 0; }
figcaption { font-weight: 600; line-height: 1.35; }
.legend {
  display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .15rem 0 .6rem; max-width: none;
  color: var(--soft); font-size: .8125rem;
}
.legend span:first-child { margin-right: auto; }
.plot { padding: .4rem .9rem 1.6rem 3rem; }
.plot svg { display: block; overflow: visible; }
.plot text { fill: var(--soft); font-size: .75rem; font-variant-numeric: tabular-nums; }
.axis-label { margin: 0; max-width: none; text-align: center; color: var(--soft); font-size: .8125rem; }
.grid { stroke: var(--line); }
.axis { stroke: var(--soft); }
.fill { fill: var(--colour); }
.stroke { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.kept { --colour: var(--kept); }
.changed { --colour: var(--changed); }
.removed { --colour: var(--removed); }
.quarantined { --colour: var(--quarantined); }
.curated { --colour: var(--curated); }
.neutral { --colour: var(--soft); }

.scroll { overflow-x: auto; margin: 1rem 0; }
.scroll + p { margin-top: 1rem; }
.scroll table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
.scroll th, .scroll td { padding: .45rem .9rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: baseline; }
.scroll tr:last-child td { border-bottom: 0; }
.scroll th { color: var(--soft); font-size: .8125rem; font-weight: 600; white-space: nowrap; }
.scroll .number { text-align: right; }
.scroll .meter { width: 30%; min-width: 7rem; }
.meter svg { height: .6rem; }

details { margin: .6rem 0 1rem; }
.card details { margin-bottom: 0; }
details > .card:first-of-type { margin-top: .75rem; }
summary { cursor: pointer; color: var(--link); font-size: .9375rem; }
details.fate { margin: 0 0 .75rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card); }
details.fate > summary { padding: .8rem 1.1rem; color: inherit; }
details.fate > summary span { display: block; padding-left: 1.2rem; color: var(--soft); font-size: .875rem; }
.samples { padding: 0 1.1rem .5rem; }
.sample { padding: .9rem 0; border-top: 1px solid var(--line); }
.facts {
  display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: 0 0 .5rem; max-width: none;
  color: var(--soft); font-size: .8125rem; overflow-wrap: anywhere;
}
.address { margin: 0; max-width: none; font-weight: 600; font-size: .9375rem; overflow-wrap: anywhere; }
.text {
  margin: 0; padding: .7rem .9rem; max-height: 16rem; overflow: auto; border-radius: .4rem; background: var(--ground);
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; font-size: .9063rem; line-height: 1.55;
}
.text del { background: var(--cut); text-decoration: line-through; text-decoration-color: var(--removed); border-radius: .15rem; }
.detail { display: flex; flex-wrap: wrap; gap: .15rem 1.5rem; margin: .6rem 0 0; font-size: .8125rem; }
.detail div { display: flex; gap: .5rem; min-width: 0; }
.detail dt { flex: none; color: var(--soft); }
.detail dd { margin: 0; min-width: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.card .text { max-height: 9rem; }
.card .written { max-height: 16rem; }
.plain { margin: .5rem 0 0; padding: 0; list-style: none; font-size: .875rem; }
.plain li { display: flex; justify-content: space-between; gap: 1rem; padding: .12rem 0; overflow-wrap: anywhere; }
.notice { padding: .7rem .9rem; border-left: 3px solid var(--removed); background: var(--card); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
@media (max-width: 34rem) {
  body { padding: 1.25rem .9rem 3rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tiles dd { font-size: 1.3rem; }
  .card, .samples { padding-inline: .9rem; }
  .fates li { grid-template-columns: 1fr auto 4rem; }
  .why { order: 1; grid-column: 1 / -1; padding-left: 1.2rem; font-size: .875rem; }
  .why:empty { display: none; }
  .head { display: block; }
  .head .soft { display: block; }
  .head .soft::before { content: none; }
}
@media print { body { max-width: none; background: none; } .text { max-height: none; } }
"""
