/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The page that reports have in common. See html.h.
 */
#include "tools/iopt/html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char style[] =
	":root{color-scheme:light dark;--back:#fbfbf9;--card:#fff;--text:#1c2126;--soft:#5d6771;"
	"--line:#dfe2e5;--grid:#eceef0;--a:#2f78b7;--b:#d9601a;--c:#2d8a5f;--good:#1f7a46;"
	"--bad:#c0322b}"
	"@media(prefers-color-scheme:dark){:root{--back:#14171a;--card:#1c2024;--text:#e6e8ea;"
	"--soft:#9aa4ad;--line:#343a40;--grid:#282d32;--a:#5aa5e0;--b:#f08a4b;--c:#5fc394;"
	"--good:#54c98a;--bad:#f0736c}}"
	"*{box-sizing:border-box}"
	"body{margin:0;background:var(--back);color:var(--text);"
	"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
	"main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}"
	"h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:0 0 2px}"
	"p{margin:0 0 12px;color:var(--soft);max-width:72ch}"
	"section{background:var(--card);border:1px solid var(--line);border-radius:10px;"
	"padding:18px 20px;margin-top:18px}"
	".verdict{display:inline-block;font-weight:600;padding:3px 12px;border-radius:99px;"
	"border:1.5px solid currentColor}"
	".good{color:var(--good)}.bad{color:var(--bad)}"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
	"margin-top:18px}"
	".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;"
	"padding:10px 14px}"
	".tile b{display:block;font-size:22px;font-weight:600;font-variant-numeric:tabular-nums}"
	".tile span{color:var(--soft);font-size:13px}"
	"svg{display:block;width:100%;height:auto;overflow:visible}"
	"svg text{fill:var(--soft);font-size:12px}"
	"svg .name{fill:var(--text);font-size:13px}"
	"svg .grid{stroke:var(--grid);stroke-width:1}svg .axis{stroke:var(--line);stroke-width:1}"
	"svg image{image-rendering:pixelated}"
	".a{fill:var(--a);stroke:var(--a)}.b{fill:var(--b);stroke:var(--b)}"
	".c{fill:var(--c);stroke:var(--c)}"
	".d{fill:var(--soft);stroke:var(--soft)}"
	".area{stroke:none;fill-opacity:.22}"
	".stroke{fill:none;stroke-width:1.6;stroke-linejoin:round}"
	"svg .line{fill:none;stroke-width:1.6;stroke-linejoin:round}"
	"svg .broad{stroke-width:6;stroke-opacity:.4}.dash{stroke-dasharray:6 4}"
	".bar{stroke:none;fill-opacity:.75}.faint{fill-opacity:.4}"
	".still{stroke:none;fill:var(--bad)}"
	"details{margin-top:10px}summary{cursor:pointer}"
	".key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:2px 0 8px;color:var(--soft);"
	"font-size:13px}"
	".key i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
	"th,td{text-align:right;padding:4px 10px;border-bottom:1px solid var(--grid)}"
	"th:first-child,td:first-child{text-align:left;padding-left:0}"
	"td:last-child.note{text-align:left;color:var(--soft)}"
	"th{color:var(--soft);font-weight:500;font-size:13px}"
	".scroll{overflow-x:auto}"
	"#tip{position:fixed;pointer-events:none;background:var(--text);color:var(--back);"
	"border-radius:6px;padding:4px 9px;font-size:13px;display:none;white-space:pre;z-index:9}"
	"svg .cross{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3;visibility:hidden}"
	"code{font-size:13px}";

/*
 * What is under the pointer. A chart carries its plot's edges and points in data- attributes: times
 * in seconds, or other places with a label each, and a line of text for each; the picture its rows'
 * addresses.
 */
static const char script[] =
	"const tip=document.getElementById('tip');"
	"function show(e,t){tip.textContent=t;tip.style.display='block';"
	"const w=tip.offsetWidth;"
	"tip.style.left=Math.min(e.clientX+14,innerWidth-w-8)+'px';"
	"tip.style.top=(e.clientY+14)+'px'}"
	"for(const s of document.querySelectorAll('svg[data-plot]')){"
	"const d=JSON.parse(s.dataset.plot),c=s.querySelector('.cross');"
	"s.addEventListener('pointermove',e=>{"
	"const r=s.getBoundingClientRect(),v=s.viewBox.baseVal;"
	"const x=(e.clientX-r.left)/r.width*v.width,y=(e.clientY-r.top)/r.height*v.height;"
	"const f=(x-d.x)/d.w;if(f<0||f>1){leave();return}"
	"let t='';"
	"if(d.t){let i=0;while(i<d.t.length-1&&d.t[i+1]<=f*d.end)i++;"
	"t=(d.l?d.l[i]:d.t[i].toFixed(2)+' s')+'\\n'+d.s[i]}"
	"else{const row=d.rows.find(q=>y>=q[0]&&y<q[1]);if(!row){leave();return}"
	"t=(f*d.end).toFixed(3)+' s\\n'+row[2]}"
	"if(c){c.setAttribute('x1',x);c.setAttribute('x2',x);c.style.visibility='visible'}"
	"show(e,t)});"
	"function leave(){tip.style.display='none';if(c)c.style.visibility='hidden'}"
	"s.addEventListener('pointerleave',leave)}";

/* Text that may hold anything, e.g. a file's name. */
void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc(*text, out);
		}
	}
}

/* 1234567 as "1.23 M". */
const char *short_number(double value, char text[SIZE_TEXT_BYTES])
{
	static const char units[] = " kMGT";
	unsigned unit = 0;

	while (value >= 999.5 && unit < 4) {
		value /= 1000;
		unit++;
	}
	snprintf(text, SIZE_TEXT_BYTES, "%.*f%s%.*s", unit && value < 10 ? 2 : unit && value < 100,
		 value, unit ? " " : "", unit != 0, &units[unit]);
	return text;
}

/* 1234 ns as "1.23 us". */
const char *short_time(double ns, char text[SIZE_TEXT_BYTES])
{
	static const char *const units[] = { "ns", "\302\265s", "ms", "s" };
	unsigned unit = 0;

	while (ns >= 999.5 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	snprintf(text, SIZE_TEXT_BYTES, "%.*f %s", unit && ns < 10 ? 2 : unit && ns < 100, ns,
		 units[unit]);
	return text;
}

const char *short_bytes(double bytes, char text[SIZE_TEXT_BYTES])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned unit = 0;

	while (bytes >= 1024 && unit < 6) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT_BYTES, "%.*f %s", unit && bytes < 10, bytes, units[unit]);
	return text;
}

/* A round step that cuts @span into about @parts; for bytes a power of two. */
double nice_step(double span, double parts, bool bytes)
{
	double raw = span / parts, scale;

	if (!(raw > 0))
		return 1;
	if (bytes)
		return exp2(ceil(log2(raw)));
	scale = pow(10, floor(log10(raw)));
	if (raw <= scale)
		return scale;
	if (raw <= 2 * scale)
		return 2 * scale;
	return raw <= 5 * scale ? 5 * scale : 10 * scale;
}

void html_time_axis(FILE *out, double end, double top, double bottom)
{
	double step = nice_step(end, 8, false);
	int digits = step < 0.01 ? 3 : step < 0.1 ? 2 : step < 1;

	for (double at = 0; at <= end * 1.0001; at += step) {
		double x = HTML_LEFT + (end > 0 ? at / end * HTML_PLOT : 0);

		fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", x, top, bottom);
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.*f s</text>\n",
			x, bottom + 17, digits, at);
	}
	fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", HTML_LEFT, bottom,
		HTML_LEFT + HTML_PLOT);
}

void html_key(FILE *out, const char *const names[], const char *const colours[], unsigned nr)
{
	fputs("<div class=\"key\">", out);
	for (unsigned i = 0; i < nr; i++)
		fprintf(out, "<span><i style=\"background:%s\"></i>%s</span>", colours[i],
			names[i]);
	fputs("</div>\n", out);
}

void html_tile(FILE *out, const char *value, const char *what)
{
	fprintf(out, "<div class=\"tile\"><b>%s</b><span>%s</span></div>\n", value, what);
}

void html_figure(FILE *out, const char *name, uint64_t value, const char *note)
{
	char text[SIZE_TEXT_BYTES];

	fprintf(out, "<tr><td>%s</td><td>%s</td><td class=\"note\">%s</td></tr>\n", name,
		grouped(value, text), note);
}

void html_begin(FILE *out, const char *title, const char *more)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
	      out);
	html_text(out, title);
	fprintf(out, "</title>\n<style>%s%s</style>\n</head>\n<body>\n<main>\n", style,
		more ? more : "");
}

void html_end(FILE *out)
{
	fprintf(out, "</main>\n<div id=\"tip\"></div>\n<script>%s</script>\n</body>\n</html>\n",
		script);
}
