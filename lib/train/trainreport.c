#include "train/trainreport.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/html.h"
#include "base/slice.h"
#include "io/outfile.h"

/* A picture, in units of its viewBox; points closer than a column are drawn as their range. */
enum {
    WIDTH = 640,
    HEIGHT = 308,
    LEFT = 62,
    RIGHT = 622,
    TOP = 14,
    BOTTOM = 278,
    COLUMNS = 280,
    CURVES = 6,
    SMOOTH_FROM = 24 /* points; fewer are drawn as they are */
};

struct curve {
    const struct tsl_metrics_series *s;
    bool held_out; /* points, not a line */
    unsigned colour;
};

struct chart {
    const char *title, *note;
    const char *baselines; /* whose, of the report; NULL: of none */
    bool from_zero, may_log, smooth;
    struct curve curves[CURVES];
    size_t ncurves;
};

/* A running sum that forgets: sum / weight is a mean. */
struct mean {
    double sum, weight, keep;
};

/* What a column of a curve holds. */
struct column {
    uint64_t step; /* of the last point */
    size_t n, at;  /* points; the last one's number */
    double low, high, last, smooth;
    struct mean mean; /* from the first point to this one */
};

struct axis {
    double from, to; /* of logarithms where log */
    bool log;
};

/* ---- numbers ---- */

/* The largest of 1, 2 and 5 times a power of ten that is at most x. */
static double nice(double x)
{
    double p = 1;
    while (p * 10 <= x)
        p *= 10;
    while (p > x)
        p /= 10;
    return p * 5 <= x ? p * 5 : p * 2 <= x ? p * 2 : p;
}

/* 0.05, 2.5, 1500, 20k, 3M, 1e-5; in the unit that most has, so that an axis has one. */
static const char *short_number(char *to, size_t cap, double x, double most)
{
    static const struct {
        double from, unit;
        const char *name;
    } units[] = {
        { 1e12, 1e12, "T" }, { 1e9, 1e9, "G" }, { 1e6, 1e6, "M" }, { 1e4, 1e3, "k" }
    };
    double size = fabs(x);
    int tens = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (fabs(most) >= units[i].from) {
            snprintf(to, cap, "%.4g%s", x / units[i].unit, x != 0 ? units[i].name : "");
            return to;
        }
    while (size > 0 && size < 0.001 && fabs(x) < 1 && tens > -300) {
        x *= 10;
        tens--;
    }
    if (tens)
        snprintf(to, cap, "%.3ge%d", x, tens);
    else
        snprintf(to, cap, "%.4g", x);
    return to;
}

static double place(const struct axis *a, double x)
{
    if (a->log)
        x = tsl_fixmath_log(x);
    return (x - a->from) / (a->to - a->from);
}

static double x_of(const struct axis *a, double step)
{
    return LEFT + (RIGHT - LEFT) * place(a, step);
}

static double y_of(const struct axis *a, double v)
{
    double p = place(a, v);
    p = p < 0 ? 0 : p > 1 ? 1 : p;
    return BOTTOM - (BOTTOM - TOP) * p;
}

/* What is drawn at all: beyond, a scale of ticks would overflow. */
static bool drawable(double x)
{
    return fabs(x) < 1e30;
}

static void include(double x, double *low, double *high)
{
    if (!drawable(x))
        return;
    *low = x < *low ? x : *low;
    *high = x > *high ? x : *high;
}

/* The range of all that a chart shows; false: it shows nothing. */
static bool range_of(const struct chart *c, const struct tsl_trainreport *r, double *low,
                     double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t k = 0; k < c->ncurves; k++)
        for (size_t i = 0; i < c->curves[k].s->n; i++)
            include(c->curves[k].s->value[i], low, high);
    if (!(*low <= *high))
        return false;
    for (size_t i = 0; i < r->nbaselines; i++)
        if (c->baselines && strcmp(r->baselines[i].chart, c->baselines) == 0)
            include(r->baselines[i].value, low, high);
    return true;
}

static void steps_of(const struct chart *c, double *first, double *last)
{
    *first = INFINITY;
    *last = -INFINITY;
    for (size_t k = 0; k < c->ncurves; k++)
        for (size_t i = 0; i < c->curves[k].s->n; i++)
            include((double)c->curves[k].s->step[i], first, last);
    if (*last - *first < 1 + *last * 1e-9) /* ticks are counted in doubles */
        *last = *first + 1 + *first * 1e-6;
    if (*first < *last / 10)
        *first = 0;
}

/* ---- a picture's parts ---- */

static void draw_y_tick(struct tsl_html *h, const struct axis *a, double v, double most)
{
    char s[32];
    double y = y_of(a, v);
    tsl_html_add(h,
                 "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                 "<text class=\"y\" x=\"%d\" y=\"%.1f\" dy=\".35em\">%s</text>\n",
                 LEFT, RIGHT, y, y, LEFT - 8, y, short_number(s, sizeof s, v, most));
}

/* The axis from a range, with its ticks. */
static struct axis draw_y(struct tsl_html *h, double low, double high, bool log,
                          bool from_zero)
{
    struct axis a = { .log = log };
    if (from_zero && !log)
        low = low < 0 ? low : 0;
    /* ticks are counted in doubles: their numbers must be whole ones */
    double least = 1e-6 * fmax(fabs(low), fabs(high));
    if (high - low < fmax(least, 1e-30))
        high = low + (low != 0 ? fmax(fabs(low), 1e-30) : 1);
    if (!log) {
        double step = nice((high - low) / 4);
        double first = floor(low / step + 1e-9), last = ceil(high / step - 1e-9);
        a.from = first * step;
        a.to = last * step;
        for (double i = first; i <= last; i++)
            draw_y_tick(h, &a, i * step, high);
        return a;
    }
    a.from = tsl_fixmath_log(low * 0.95);
    a.to = tsl_fixmath_log(high * 1.05);
    bool decades = high / low > 3000, few = high / low > 4;
    double p = 1;
    while (p > low)
        p /= 10;
    while (p * 10 <= low)
        p *= 10;
    for (; p <= high; p *= 10)
        for (int m = 1; m < 10; m++)
            if ((m == 1 || (!decades && (!few || m == 2 || m == 5))) &&
                p * m >= low * 0.95 && p * m <= high * 1.05)
                draw_y_tick(h, &a, p * m, p * m);
    return a;
}

static struct axis draw_x(struct tsl_html *h, double first, double last)
{
    char s[32];
    struct axis a = { .from = first, .to = last };
    double step = nice((last - first) / 5);
    step = step < 1 ? 1 : step;
    int i = 0;
    for (double t = ceil(first / step); t * step <= last; t++, i++) {
        double x = x_of(&a, t * step);
        tsl_html_add(h,
                     "<line class=\"tick\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                     "<text class=\"x%s\" x=\"%.1f\" y=\"%d\" dy=\"1em\">%s</text>\n",
                     x, x, BOTTOM, BOTTOM + 5, i % 2 ? " o" : "", x, BOTTOM + 8,
                     short_number(s, sizeof s, t * step, last));
    }
    tsl_html_add(h, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n",
                 LEFT, RIGHT, BOTTOM, BOTTOM);
    return a;
}

static void mean_in(struct mean *m, double v)
{
    m->sum = m->keep * m->sum + (1 - m->keep) * v;
    m->weight = m->keep * m->weight + (1 - m->keep);
}

/* The column of point i; NULL: it is not shown. */
static struct column *column_of(struct column *col, const struct tsl_metrics_series *s,
                                const struct axis *x, size_t i)
{
    double at = place(x, (double)s->step[i]) * COLUMNS;
    if (!drawable(s->value[i]) || !(at >= 0))
        return NULL;
    return &col[at < COLUMNS ? (size_t)at : COLUMNS - 1];
}

/* Puts a curve's points into columns.  What is smooth is the mean of two exponential running
 * means with a memory of an 80th of all points, one from each end, so that it lags behind
 * neither way; each counts for as much as it has seen. */
static void fill_columns(struct column *col, const struct curve *c, const struct axis *x)
{
    const struct tsl_metrics_series *s = c->s;
    double memory = (double)s->n / 80;
    struct mean m = { .keep = memory > 1 ? 1 - 1 / memory : 0 }, back = m;
    memset(col, 0, COLUMNS * sizeof *col);
    for (size_t i = 0; i < s->n; i++) {
        struct column *k = column_of(col, s, x, i);
        double v = s->value[i];
        if (!k)
            continue;
        k->low = !k->n || v < k->low ? v : k->low;
        k->high = !k->n || v > k->high ? v : k->high;
        k->last = v;
        k->at = i;
        mean_in(&m, v);
        k->mean = m;
        k->step = s->step[i];
        k->n++;
    }
    for (size_t i = s->n; i-- > 0;) {
        struct column *k = column_of(col, s, x, i);
        if (!k)
            continue;
        mean_in(&back, s->value[i]);
        if (k->at == i)
            k->smooth = (k->mean.sum + back.sum) / (k->mean.weight + back.weight);
    }
}

static void draw_points(struct tsl_html *h, const struct curve *c, const struct axis *x,
                        const struct axis *y)
{
    char s[32];
    for (size_t i = 0; i < c->s->n; i++)
        if (drawable(c->s->value[i]))
            tsl_html_add(h,
                         "<circle class=\"s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"><title>"
                         "step %s\n%s %.6g</title></circle>\n",
                         c->colour, x_of(x, (double)c->s->step[i]),
                         y_of(y, c->s->value[i]), tsl_html_grouped(s, c->s->step[i]),
                         c->s->name, c->s->value[i]);
}

/* The range of each column, light, and the mean over it; or the points themselves. */
static void draw_line(struct tsl_html *h, const struct column *col, const struct curve *c,
                      bool smooth, const struct axis *x, const struct axis *y)
{
    smooth = smooth && c->s->n >= SMOOTH_FROM;
    tsl_html_add(h, "<path class=\"%s s%u\" d=\"", smooth ? "raw" : "line", c->colour);
    for (size_t i = 0, n = 0; i < COLUMNS; i++)
        if (col[i].n) {
            double at = x_of(x, (double)col[i].step);
            tsl_html_add(h, "%c%.1f %.1f", n++ ? 'L' : 'M', at,
                         y_of(y, smooth ? col[i].low : col[i].last));
            if (smooth && col[i].n > 1)
                tsl_html_add(h, "V%.1f", y_of(y, col[i].high));
        }
    tsl_html_add(h, "\"/>\n");
    if (!smooth)
        return;
    tsl_html_add(h, "<path class=\"line s%u\" d=\"", c->colour);
    for (size_t i = 0, n = 0; i < COLUMNS; i++)
        if (col[i].n)
            tsl_html_add(h, "%c%.1f %.1f", n++ ? 'L' : 'M', x_of(x, (double)col[i].step),
                         y_of(y, col[i].smooth));
    tsl_html_add(h, "\"/>\n");
}

static void draw_baselines(struct tsl_html *h, const struct chart *c,
                           const struct tsl_trainreport *r, const struct axis *y)
{
    for (size_t i = 0; i < r->nbaselines; i++) {
        const struct tsl_trainreport_baseline *b = &r->baselines[i];
        if (!c->baselines || strcmp(b->chart, c->baselines) || !drawable(b->value))
            continue;
        double at = y_of(y, b->value);
        tsl_html_add(h,
                     "<line class=\"base\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                     "<text class=\"b\" x=\"%d\" y=\"%.1f\" dy=\"-.35em\">",
                     LEFT, RIGHT, at, at, RIGHT - 4, at);
        tsl_html_text(h, b->name);
        tsl_html_add(h, " %.4g</text>\n", b->value);
    }
}

/* What is pointed at, column by column, above all but the held-out points. */
static void draw_hints(struct tsl_html *h, const struct chart *c,
                       struct column (*col)[COLUMNS])
{
    enum { TOGETHER = 2 };
    char s[32];
    for (size_t i = 0; i + TOGETHER <= COLUMNS; i += TOGETHER) {
        const double wide = (double)(RIGHT - LEFT) / COLUMNS * TOGETHER;
        bool begun = false;
        for (size_t k = 0; k < c->ncurves; k++)
            for (size_t m = TOGETHER; m-- > 0 && !c->curves[k].held_out;) {
                const struct column *q = &col[k][i + m];
                if (!q->n)
                    continue;
                if (!begun)
                    tsl_html_add(h,
                                 "<rect class=\"hit\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
                                 "height=\"%d\"><title>step %s",
                                 LEFT + wide * (double)(i / TOGETHER), TOP, wide,
                                 BOTTOM - TOP, tsl_html_grouped(s, q->step));
                begun = true;
                tsl_html_add(h, "\n");
                tsl_html_text(h, c->curves[k].s->name);
                tsl_html_add(h, " %.5g", q->last);
                if (c->smooth && c->curves[k].s->n >= SMOOTH_FROM)
                    tsl_html_add(h, ", mean %.5g", q->smooth);
                break;
            }
        if (begun)
            tsl_html_add(h, "</title></rect>\n");
    }
}

static void draw_picture(struct tsl_html *h, const struct chart *c,
                         const struct tsl_trainreport *r, double low, double high,
                         bool log)
{
    struct column col[CURVES][COLUMNS];
    double first, last;
    steps_of(c, &first, &last);
    tsl_html_add(
        h, "<svg class=\"%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
        log ? "log" : "lin", WIDTH, HEIGHT, c->title);
    struct axis y = draw_y(h, low, high, log, c->from_zero);
    struct axis x = draw_x(h, first, last);
    draw_baselines(h, c, r, &y);
    for (size_t k = 0; k < c->ncurves; k++)
        if (!c->curves[k].held_out) {
            fill_columns(col[k], &c->curves[k], &x);
            draw_line(h, col[k], &c->curves[k], c->smooth, &x, &y);
        }
    draw_hints(h, c, col);
    for (size_t k = 0; k < c->ncurves; k++)
        if (c->curves[k].held_out)
            draw_points(h, &c->curves[k], &x, &y);
    tsl_html_add(h, "</svg>\n");
}

static void draw_chart(struct tsl_html *h, const struct chart *c,
                       const struct tsl_trainreport *r, unsigned number)
{
    double low, high;
    if (!range_of(c, r, &low, &high))
        return;
    tsl_html_add(h, "<figure>\n<h2>%s</h2>\n", c->title);
    bool log = c->may_log && low > 1e-30 && high / low > 1.2;
    if (log)
        tsl_html_add(
            h,
            "<input type=\"radio\" class=\"ta\" name=\"t%u\" id=\"t%ua\" checked>"
            "<label for=\"t%ua\">linear</label>"
            "<input type=\"radio\" class=\"tb\" name=\"t%u\" id=\"t%ub\">"
            "<label for=\"t%ub\">log</label>\n",
            number, number, number, number, number, number);
    tsl_html_add(h, "<p>%s</p>\n", c->note);
    draw_picture(h, c, r, low, high, false);
    if (log)
        draw_picture(h, c, r, low, high, true);
    if (c->ncurves > 1) {
        tsl_html_add(h, "<ul>\n");
        for (size_t k = 0; k < c->ncurves; k++) {
            tsl_html_add(h, "<li><i class=\"s%u%s\"></i>", c->curves[k].colour,
                         c->curves[k].held_out ? " dot" : "");
            tsl_html_text(h, c->curves[k].s->name);
            tsl_html_add(h, "</li>\n");
        }
        tsl_html_add(h, "</ul>\n");
    }
    tsl_html_add(h, "</figure>\n");
}

/* ---- the page ---- */

static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--card:#fff;--fore:#1c1f23;--soft:#5f6670;"
    "--line:#e4e8ec;--edge:#aab2bb;--s0:#0072b2;--s1:#c77d00;--s2:#00855f;--s3:#b0578d;"
    "--s4:#d55e00;--s5:#6b5bb5}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#14171b;--card:#191d22;--fore:#"
    "e6e8eb;"
    "--soft:#9aa3ad;--line:#2b3138;--edge:#5b646e;--s0:#56b4e9;--s1:#e69f00;--s2:#3cc79b;"
    "--s3:#e08fbd;--s4:#ff8a4c;--s5:#a99bf0}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:82rem;padding:1.5rem 1rem 3rem;"
    "background:var(--back);color:var(--fore);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1rem;overflow-wrap:anywhere}"
    "h2{font-size:1.05rem;margin:0;flex:1}\n"
    "dl.tiles{display:flex;flex-wrap:wrap;gap:.75rem 2.25rem;margin:0 0 1.5rem}"
    ".tiles dt{color:var(--soft);font-size:.85rem}.tiles dd{margin:0;font-size:1.3rem;"
    "font-variant-numeric:tabular-nums}\n"
    "main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr))"
    ";"
    "gap:1.25rem}\n"
    "figure{margin:0;padding:1rem;background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;container-type:inline-size;min-width:0;display:flex;flex-wrap:"
    "wrap;"
    "align-items:baseline;align-content:start}\n"
    "figure p{flex-basis:100%;margin:.1rem 0 .6rem;color:var(--soft);font-size:.875rem}\n"
    "input{position:absolute;opacity:0}label{font-size:.8rem;color:var(--soft);"
    "padding:.05rem .5rem;border-radius:99px;cursor:pointer}"
    "input:checked+label{background:var(--line);color:var(--fore)}"
    "input:focus-visible+label{outline:2px solid var(--s0)}"
    ".ta:checked~.log,.tb:checked~.lin{display:none}\n"
    "svg{width:100%;height:auto;display:block}text{fill:var(--soft);font-size:13px;"
    "font-variant-numeric:tabular-nums}.y,.b{text-anchor:end}.x{text-anchor:middle}\n"
    ".grid{stroke:var(--line)}.axis,.tick{stroke:var(--edge)}"
    ".base{stroke:var(--soft);stroke-dasharray:6 5;stroke-width:1.3}"
    ".b{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}\n"
    "path{fill:none;stroke-linejoin:round;stroke-linecap:round}.line{stroke-width:2}"
    ".raw{stroke-width:1;opacity:.35}circle{stroke:var(--card);stroke-width:1.5}"
    "circle:hover{stroke:var(--fore)}.hit{fill:transparent}.hit:hover{fill:var(--edge);"
    "opacity:.35}\n"
    "path.s0{stroke:var(--s0)}path.s1{stroke:var(--s1)}path.s2{stroke:var(--s2)}"
    "path.s3{stroke:var(--s3)}path.s4{stroke:var(--s4)}path.s5{stroke:var(--s5)}\n"
    "circle.s0{fill:var(--s0)}circle.s1{fill:var(--s1)}circle.s2{fill:var(--s2)}"
    "circle.s3{fill:var(--s3)}circle.s4{fill:var(--s4)}circle.s5{fill:var(--s5)}\n"
    "i.s0{background:var(--s0)}i.s1{background:var(--s1)}i.s2{background:var(--s2)}"
    "i.s3{background:var(--s3)}i.s4{background:var(--s4)}i.s5{background:var(--s5)}\n"
    "ul{list-style:none;margin:.5rem 0 0;padding:0;display:flex;flex-wrap:wrap;"
    "gap:.1rem 1.1rem;font-size:.875rem;color:var(--soft);flex-basis:100%}"
    "li i{display:inline-block;width:1.1em;height:3px;margin-right:.45em;"
    "vertical-align:.25em;border-radius:2px}li i.dot{width:.65em;height:.65em;"
    "border-radius:50%;vertical-align:0}\n"
    "@container(max-width:460px){text{font-size:19px}.o{display:none}.line{stroke-width:"
    "3}"
    "circle{r:6.5px}}@container(min-width:760px){text{font-size:10.5px}"
    ".line{stroke-width:1.5}circle{r:3.5px}}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th{font-weight:400;text-align:left;color:var(--soft);padding:.3rem 1rem .3rem 0;"
    "vertical-align:top;white-space:nowrap}td{padding:.3rem 0;overflow-wrap:anywhere}"
    "tr+tr>*{border-top:1px solid var(--line)}section{margin-top:1.25rem}\n"
    "@media(min-width:60rem){.two{columns:2;column-gap:3rem}.two "
    "tr{break-inside:avoid}}\n";

static void tile(struct tsl_html *h, const char *name, const char *value)
{
    tsl_html_add(h, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void tile_last(struct tsl_html *h, const struct tsl_trainreport *r,
                      const char *label, const char *name, const char *format)
{
    char s[64];
    const struct tsl_metrics_series *m = tsl_metrics_find(r->metrics, name);
    if (!m || !m->n || !isfinite(m->value[m->n - 1]))
        return;
    double v = m->value[m->n - 1], sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (isfinite(m->value[i])) {
            sum += m->value[i];
            n++;
        }
    if (strcmp(format, "mean") == 0)
        v = sum / (double)n;
    if (strcmp(format, "count") == 0 || strcmp(format, "mean") == 0)
        short_number(s, sizeof s, v, v);
    else if (strcmp(format, "time") == 0 && v >= 3600)
        snprintf(s, sizeof s, "%.0f h %02.0f min", floor(v / 3600),
                 floor(fmod(v, 3600) / 60));
    else if (strcmp(format, "time") == 0)
        snprintf(s, sizeof s, "%.0f min %02.0f s", floor(v / 60), floor(fmod(v, 60)));
    else if (strcmp(format, "share") == 0)
        snprintf(s, sizeof s, "%.1f %%", 100 * v);
    else
        snprintf(s, sizeof s, "%.4g", v);
    tile(h, label, s);
}

static void page_head(struct tsl_html *h, const struct tsl_trainreport *r)
{
    char s[32];
    uint64_t step = 0;
    for (size_t i = 0; i < r->metrics->n; i++)
        for (size_t k = 0; k < r->metrics->series[i].n; k++)
            if (r->metrics->series[i].step[k] > step)
                step = r->metrics->series[i].step[k];
    tsl_html_add(h,
                 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width,"
                 "initial-scale=1\">\n<title>");
    tsl_html_text(h, r->title);
    tsl_html_add(h, "</title>\n<style>\n");
    tsl_html_bytes(h, style, sizeof style - 1);
    tsl_html_add(h, "</style>\n</head>\n<body>\n<h1>");
    tsl_html_text(h, r->title);
    tsl_html_add(h, "</h1>\n<dl class=\"tiles\">\n");
    tile(h, "steps", tsl_html_grouped(s, step));
    tile_last(h, r, "tokens", "tokens", "count");
    tile_last(h, r, "loss", "loss", "");
    tile_last(h, r, "held-out loss", "eval_loss", "");
    tile_last(h, r, "held-out accuracy", "eval_accuracy", "share");
    tile_last(h, r, "tokens a second", "tokens_per_s", "mean");
    tile_last(h, r, "time", "time", "time");
    tsl_html_add(h, "</dl>\n<main>\n");
}

static void page_tail(struct tsl_html *h, const struct tsl_trainreport *r)
{
    tsl_html_add(h, "</main>\n");
    if (r->npairs) {
        tsl_html_add(h, "<section>\n<figure>\n<h2>Settings</h2>\n<p></p>\n<table>\n");
        for (size_t i = 0; i < r->npairs; i++) {
            tsl_html_add(h, "<tr><th>");
            tsl_html_text(h, r->pairs[i].name);
            tsl_html_add(h, "</th><td>");
            tsl_html_text(h, r->pairs[i].value);
            tsl_html_add(h, "</td></tr>\n");
        }
        tsl_html_add(h, "</table>\n</figure>\n</section>\n");
    }
    tsl_html_add(h, "</body>\n</html>\n");
}

/* The curves of all series that are called end, or SOMETHING_end. */
static void curves_of(struct chart *c, const struct tsl_trainreport *r, const char *end)
{
    char tail[64];
    snprintf(tail, sizeof tail, "_%s", end);
    for (int held_out = 0; held_out < 2; held_out++)
        for (size_t i = 0; i < r->metrics->n && c->ncurves < CURVES; i++) {
            const struct tsl_metrics_series *s = &r->metrics->series[i];
            bool is = strncmp(s->name, "eval_", 5) == 0;
            if (is != (held_out == 1) || !s->n ||
                (strcmp(s->name, end) && !tsl_ends_with(s->name, tail)))
                continue;
            c->curves[c->ncurves] =
                (struct curve){ .s = s, .held_out = is, .colour = (unsigned)c->ncurves };
            c->ncurves++;
        }
}

static void draw_charts(struct tsl_html *h, const struct tsl_trainreport *r)
{
    static const struct {
        struct chart chart;
        const char *end;
    } all[] = {
        { { .title = "Loss",
            .note = "In nats; light: logged steps, line: running mean, "
                    "dots: held-out data.",
            .baselines = "loss",
            .may_log = true,
            .smooth = true },
          "loss" },
        { { .title = "Accuracy",
            .note = "Share of predicted tokens that are right; dots: held-out data.",
            .baselines = "accuracy",
            .from_zero = true,
            .smooth = true },
          "accuracy" },
        { { .title = "Learning rate",
            .note = "As the schedule gave it.",
            .from_zero = true },
          "lr" },
        { { .title = "Gradient norm",
            .note = "L2 norm of the whole gradient, before clipping.",
            .from_zero = true,
            .may_log = true,
            .smooth = true },
          "grad_norm" },
        { { .title = "Throughput",
            .note = "Tokens a second.",
            .from_zero = true,
            .smooth = true },
          "tokens_per_s" },
        { { .title = "Waiting for data",
            .note = "Seconds a step in which no batch was ready.",
            .from_zero = true,
            .smooth = true },
          "data_wait_s" },
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct chart c = all[i].chart;
        curves_of(&c, r, all[i].end);
        draw_chart(h, &c, r, i);
    }
}

int tsl_trainreport_write(const char *path, const struct tsl_trainreport *r,
                          struct tsl_err *err)
{
    struct tsl_outfile o = { .file = TSL_FILE_INIT };
    struct tsl_html h = { 0 };
    page_head(&h, r);
    draw_charts(&h, r);
    page_tail(&h, r);
    int rc = tsl_html_end(&h, err);
    if (rc == 0)
        rc = tsl_outfile_open(&o, path, false, err);
    if (rc == 0)
        rc = tsl_file_write(&o.file, h.text, h.len, err);
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0)
        rc = tsl_outfile_commit(&o, err);
    tsl_outfile_close(&o);
    tsl_html_fini(&h);
    return rc;
}
