#include "crec_html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/html.h"
#include "base/mem.h"
#include "io/sink.h"
#include "record/manifest.h"
#include "record/recset.h"
#include "record/value.h"

enum { BINS = 4096, BARS = 64, LABELS = 16 };

struct crec_html {
    const struct tsl_recreader *r;
    const char *path;
    /* columns; -1: there is none */
    int ids, used, label, places, targets, weights, goal;
    int64_t mask_id;     /* -1: not known */
    uint64_t bins[BINS]; /* lengths; bin i: width of them from i * width on */
    uint64_t width;      /* a power of two, doubled when a length is beyond the bins */
    uint64_t nrecords, ntokens, longest, padded; /* padded: places of fixed columns */
    uint64_t labels[LABELS], labels_other;
    uint64_t masked, became_mask, kept, drawn;
    struct tsl_manifest set;
    uint64_t *shards; /* tokens of each; NULL: no set */
    size_t shard;     /* of the next record, as set has them */
    uint64_t shard_left;
    struct tsl_html page; /* as far as it is */
};

/* ---- counting ---- */

static int find(const struct tsl_schema *s, const char *const *names)
{
    for (; *names; names++) {
        int c = tsl_schema_find(s, *names);
        if (c >= 0 && s->columns[c].type <= TSL_I64)
            return c;
    }
    return -1;
}

static void find_columns(struct crec_html *h)
{
    static const char *const ids[] = { "input_ids", "ids", "tokens", "inputs", NULL },
                             *const used[] = { "attention_mask", "input_mask", NULL },
                             *const label[] = { "label", "next_sentence_label",
                                                "next_sentence_labels", NULL },
                             *const places[] = { "places", "masked_lm_positions", NULL },
                             *const targets[] = { "targets", "masked_lm_ids", NULL },
                             *const goal[] = { "labels", NULL };
    const struct tsl_schema *s = &tsl_recreader_head(h->r)->schema;
    h->ids = find(s, ids);
    for (size_t i = 0; h->ids < 0 && i < s->ncolumns; i++)
        if (!s->columns[i].count && s->columns[i].type <= TSL_I64)
            h->ids = (int)i;
    h->used = find(s, used);
    h->label = find(s, label);
    h->places = find(s, places);
    h->targets = find(s, targets);
    h->weights = tsl_schema_find(s, "masked_lm_weights");
    h->goal = find(s, goal);
}

/* A value of a column of whole numbers. */
static int64_t whole(const struct crec_html *h, int c, const struct tsl_record *rec,
                     uint32_t i)
{
    return tsl_value_whole(tsl_recreader_head(h->r)->schema.columns[c].type,
                           &rec->values[c], i);
}

static void length_in(struct crec_html *h, uint64_t n)
{
    while (n / h->width >= BINS) {
        for (size_t i = 0; i < BINS / 2; i++)
            h->bins[i] = h->bins[2 * i] + h->bins[2 * i + 1];
        memset(h->bins + BINS / 2, 0, sizeof h->bins / 2);
        h->width *= 2;
    }
    h->bins[n / h->width]++;
    h->ntokens += n;
    h->longest = n > h->longest ? n : h->longest;
}

static void mask_in(struct crec_html *h, int64_t here, int64_t was)
{
    h->masked++;
    h->became_mask += here == h->mask_id;
    h->kept += here != h->mask_id && here == was;
    h->drawn += here != h->mask_id && here != was;
}

static void masks_in(struct crec_html *h, const struct tsl_record *rec)
{
    uint32_t nids = rec->values[h->ids].n;
    if (h->places >= 0 && h->targets >= 0) {
        uint32_t n = rec->values[h->places].n;
        n = rec->values[h->targets].n < n ? rec->values[h->targets].n : n;
        for (uint32_t i = 0; i < n; i++) {
            int64_t at = whole(h, h->places, rec, i);
            /* padding: place 0, at which nothing is ever masked */
            if (at >= (h->weights >= 0) && at < nids)
                mask_in(h, whole(h, h->ids, rec, (uint32_t)at),
                        whole(h, h->targets, rec, i));
        }
    } else if (h->goal >= 0 && rec->values[h->goal].n == nids) {
        for (uint32_t i = 0; i < nids; i++) {
            int64_t was = whole(h, h->goal, rec, i);
            if (was >= 0) /* -100: nothing to be predicted */
                mask_in(h, whole(h, h->ids, rec, i), was);
        }
    }
}

static void shard_in(struct crec_html *h, uint64_t n)
{
    if (!h->shards)
        return;
    while (h->shard_left == 0 && h->shard + 1 < h->set.nshards)
        h->shard_left = h->set.shards[++h->shard].records;
    h->shards[h->shard] += n;
    h->shard_left -= h->shard_left > 0;
}

void crec_html_add(struct crec_html *h, const struct tsl_record *rec)
{
    uint64_t n = 0;
    h->nrecords++;
    if (h->ids >= 0) {
        n = rec->values[h->ids].n;
        h->padded += n;
        if (h->used >= 0) {
            n = 0;
            for (uint32_t i = 0; i < rec->values[h->used].n; i++)
                n += whole(h, h->used, rec, i) != 0;
        }
        length_in(h, n);
        masks_in(h, rec);
    }
    shard_in(h, n);
    for (uint32_t i = 0; h->label >= 0 && i < rec->values[h->label].n; i++) {
        int64_t v = whole(h, h->label, rec, i);
        if (v >= 0 && v < LABELS)
            h->labels[v]++;
        else
            h->labels_other++;
    }
}

/* ---- drawing ---- */

struct bar {
    double value;
    char label[48], shown[48]; /* under the axis, and when it is pointed at */
};

static void heading(struct crec_html *h, const char *title, const char *what)
{
    tsl_html_add(&h->page, "<section>\n<h2>%s</h2>\n<p>%s</p>\n", title, what);
}

/* Bars from the left to the right; every few of them have a label under the axis. */
static void draw_bars(struct crec_html *h, const struct bar *bars, size_t n)
{
    enum { LEFT = 84, TOP = 12, WIDTH = 640, HEIGHT = 200 };
    double most = 1, step = (double)WIDTH / (double)n;
    for (size_t i = 0; i < n; i++)
        most = bars[i].value > most ? bars[i].value : most;
    tsl_html_add(&h->page, "<svg viewBox=\"0 0 740 250\" role=\"img\">\n");
    for (int i = 0; i <= 4; i++) {
        char s[32];
        double y = TOP + HEIGHT * (1 - i / 4.0);
        tsl_html_add(&h->page,
                     "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                     LEFT, LEFT + WIDTH, y, y);
        if (i == 0 || most >= 4)
            tsl_html_add(&h->page, "<text class=\"y\" x=\"%d\" y=\"%.1f\">%s</text>\n",
                         LEFT - 8, y + 4,
                         tsl_html_grouped(s, (uint64_t)(most * i / 4 + 0.5)));
    }
    for (size_t i = 0; i < n; i++) {
        double tall = bars[i].value / most * HEIGHT, x = LEFT + step * (double)i;
        double gap = step > 4 ? 1 : 0;
        tall = bars[i].value > 0 && tall < 1 ? 1 : tall;
        tsl_html_add(&h->page,
                     "<rect class=\"bar\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                     "height=\"%.2f\"><title>%s</title></rect>\n",
                     x + gap / 2, TOP + HEIGHT - tall, step - gap, tall, bars[i].shown);
        if (i % ((n + 7) / 8) == 0)
            tsl_html_add(&h->page, "<text class=\"x\" x=\"%.1f\" y=\"%d\">%s</text>\n",
                         x + step / 2, TOP + HEIGHT + 20, bars[i].label);
    }
    tsl_html_add(&h->page, "</svg>\n</section>\n");
}

/* Shares of a whole as one bar, with a legend. */
static void draw_shares(struct crec_html *h, const struct bar *parts, size_t n)
{
    double sum = 0, x = 0;
    for (size_t i = 0; i < n; i++)
        sum += parts[i].value;
    sum = sum > 0 ? sum : 1;
    tsl_html_add(&h->page, "<svg viewBox=\"0 0 740 36\" role=\"img\">\n");
    for (size_t i = 0; i < n; i++) {
        double wide = 740 * parts[i].value / sum;
        tsl_html_add(&h->page,
                     "<rect class=\"c%zu\" x=\"%.2f\" y=\"2\" width=\"%.2f\" "
                     "height=\"32\"><title>%s: %.2f %%</title></rect>\n",
                     i % 6, x, wide, parts[i].label, 100 * parts[i].value / sum);
        x += wide;
    }
    tsl_html_add(&h->page, "</svg>\n<ul>\n");
    for (size_t i = 0; i < n; i++) {
        char s[32];
        tsl_html_add(
            &h->page,
            "<li><i class=\"c%zu\"></i>%s <b>%.2f %%</b> <small>%s</small></li>\n", i % 6,
            parts[i].label, 100 * parts[i].value / sum,
            tsl_html_grouped(s, (uint64_t)parts[i].value));
    }
    tsl_html_add(&h->page, "</ul>\n</section>\n");
}

static void draw_lengths(struct crec_html *h)
{
    static struct bar bars[BARS];
    char a[32], b[32], c[32];
    uint64_t wide = h->width; /* of a bar */
    while (h->longest / wide >= BARS)
        wide += h->width;
    size_t n = (size_t)(h->longest / wide) + 1;
    memset(bars, 0, sizeof bars);
    for (size_t i = 0; i <= h->longest / h->width; i++)
        bars[i * h->width / wide].value += (double)h->bins[i];
    for (size_t i = 0; i < n; i++) {
        snprintf(bars[i].label, sizeof bars[i].label, "%s",
                 tsl_html_grouped(a, i * wide));
        snprintf(bars[i].shown, sizeof bars[i].shown,
                 wide == 1 ? "%.0s%s: %s" : "%s to %s: %s", a,
                 tsl_html_grouped(b, (i + 1) * wide - 1),
                 tsl_html_grouped(c, (uint64_t)bars[i].value));
    }
    heading(h, "Lengths", "Records by their number of tokens.");
    draw_bars(h, bars, n);
}

static void draw_padding(struct crec_html *h)
{
    uint64_t places = h->used >= 0 ? h->padded : h->nrecords * h->longest;
    struct bar parts[] = { { (double)h->ntokens, "tokens", "" },
                           { (double)(places - h->ntokens), "padding", "" } };
    heading(h, "Padding",
            h->used >= 0 ? "Of all places how many hold a token."
                         : "If every record were padded to the longest.");
    draw_shares(h, parts, 2);
}

static void draw_labels(struct crec_html *h)
{
    struct bar parts[LABELS + 1];
    size_t n = 0;
    for (size_t i = 0; i <= LABELS; i++) {
        uint64_t k = i < LABELS ? h->labels[i] : h->labels_other;
        if (!k)
            continue;
        parts[n].value = (double)k;
        if (i < LABELS)
            snprintf(parts[n].label, sizeof parts[n].label, "label %zu", i);
        else
            snprintf(parts[n].label, sizeof parts[n].label, "others");
        n++;
    }
    if (n == 0)
        return;
    heading(h, "Labels", "Records by their label.");
    draw_shares(h, parts, n);
}

static void draw_masks(struct crec_html *h)
{
    struct bar parts[] = { { (double)h->masked, "to be predicted", "" },
                           { (double)(h->ntokens - h->masked), "not", "" } };
    struct bar fates[] = { { (double)h->became_mask, "the mask token", "" },
                           { (double)h->drawn, "a random token", "" },
                           { (double)h->kept, "left as it was", "" } };
    if (h->masked == 0 || h->masked > h->ntokens)
        return;
    heading(h, "Masked", "Tokens that are to be predicted.");
    draw_shares(h, parts, 2);
    if (h->mask_id < 0)
        return;
    heading(h, "What stands in their place", "BERT&#39;s rule is 80, 10 and 10 %.");
    draw_shares(h, fates, 3);
}

static int draw_shards(struct crec_html *h, struct tsl_err *err)
{
    enum { MOST = 320 };
    char a[32];
    struct bar *bars;
    size_t each = (h->set.nshards + MOST - 1) / MOST, n;
    if (!h->shards)
        return 0;
    n = (h->set.nshards + each - 1) / each;
    if (!(bars = tsl_mem_alloc(n, sizeof *bars, "bars", err)))
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t from = i * each,
               to = from + each < h->set.nshards ? from + each : h->set.nshards;
        uint64_t sum = 0;
        for (size_t k = from; k < to; k++)
            sum += h->shards[k];
        bars[i].value = (double)sum / (double)(to - from);
        snprintf(bars[i].label, sizeof bars[i].label, "%zu", from);
        snprintf(bars[i].shown, sizeof bars[i].shown, "shard %zu: %s", from,
                 tsl_html_grouped(a, (uint64_t)bars[i].value));
    }
    heading(h, "Shards",
            each > 1 ? "Tokens in each shard; a bar is the mean of several."
                     : "Tokens in each shard.");
    draw_bars(h, bars, n);
    tsl_mem_free(bars);
    return 0;
}

/* ---- the page ---- */

/* Colours that the colour-blind tell apart (Okabe and Ito's). */
static const char style[] =
    ":root{color-scheme:light dark;--back:#fff;--fore:#1c1f23;--soft:#5f6670;"
    "--line:#dfe3e8;--bar:#0072b2}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#14171b;--fore:#e6e8eb;--soft:#"
    "9aa3ad;"
    "--line:#30363d;--bar:#56b4e9}}\n"
    "body{margin:2rem auto;max-width:48rem;padding:0 1rem;background:var(--back);"
    "color:var(--fore);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 0}"
    "p,small,dt{color:var(--soft)}p{margin:0 0 .5rem}\n"
    "dl{display:flex;flex-wrap:wrap;gap:1rem 2rem}dt{font-size:.85rem}"
    "dd{margin:0;font-size:1.25rem}\n"
    "svg{width:100%;height:auto;display:block}text{fill:var(--soft);font-size:12px}"
    ".y{text-anchor:end}.x{text-anchor:middle}.grid{stroke:var(--line)}"
    ".bar{fill:var(--bar)}\n"
    ".c0{fill:#0072b2;background:#0072b2}.c1{fill:#e69f00;background:#e69f00}"
    ".c2{fill:#009e73;background:#009e73}.c3{fill:#cc79a7;background:#cc79a7}"
    ".c4{fill:#56b4e9;background:#56b4e9}.c5{fill:#d55e00;background:#d55e00}\n"
    "ul{list-style:none;margin:.5rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.25rem "
    "1.5rem}"
    "li i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}\n"
    "pre{overflow:auto;border:1px solid var(--line);padding:1rem;font-size:13px}\n";

static void tile(struct crec_html *h, const char *name, const char *value)
{
    tsl_html_add(&h->page, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static void page_head(struct crec_html *h)
{
    char s[48];
    tsl_html_add(
        &h->page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>");
    tsl_html_text(&h->page, h->path);
    tsl_html_add(&h->page, "</title>\n<style>\n");
    tsl_html_bytes(&h->page, style, sizeof style - 1);
    tsl_html_add(&h->page, "</style>\n</head>\n<body>\n<h1>");
    tsl_html_text(&h->page, h->path);
    tsl_html_add(&h->page, "</h1>\n<dl>\n");
    tile(h, "format", tsl_recreader_format(h->r));
    tile(h, "records", tsl_html_grouped(s, h->nrecords));
    if (h->ids >= 0) {
        tile(h, "tokens", tsl_html_grouped(s, h->ntokens));
        snprintf(s, sizeof s, "%.1f",
                 h->nrecords ? (double)h->ntokens / (double)h->nrecords : 0);
        tile(h, "mean length", s);
        tile(h, "longest", tsl_html_grouped(s, h->longest));
    }
    tsl_html_add(&h->page, "</dl>\n");
}

static void page_tail(struct crec_html *h)
{
    const struct tsl_rechead *head = tsl_recreader_head(h->r);
    tsl_html_add(&h->page, "<section>\n<h2>Columns</h2>\n<ul>\n");
    for (size_t i = 0; i < head->schema.ncolumns; i++) {
        const struct tsl_column *c = &head->schema.columns[i];
        tsl_html_add(&h->page, "<li><b>");
        tsl_html_text(&h->page, c->name);
        tsl_html_add(&h->page, "</b> <small>%s%s</small></li>\n", tsl_dtype_name(c->type),
                     c->count ? "" : " list");
    }
    tsl_html_add(&h->page, "</ul>\n<details><summary>Meta</summary>\n<pre>");
    tsl_html_text(&h->page, head->meta ? head->meta : "{}");
    tsl_html_add(&h->page, "</pre>\n</details>\n</section>\n</body>\n</html>\n");
}

int crec_html_write(struct crec_html *h, const char *out, struct tsl_err *err)
{
    struct tsl_sink sink;
    struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    page_head(h);
    if (h->ids >= 0 && h->ntokens) {
        draw_lengths(h);
        draw_padding(h);
    }
    draw_labels(h);
    draw_masks(h);
    int rc = draw_shards(h, err);
    page_tail(h);
    if (rc == 0)
        rc = tsl_html_end(&h->page, err);
    if (rc == 0)
        rc = tsl_sink_open(&sink, strcmp(out, "-") ? out : NULL, false, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_sink_write(&sink, h->page.text, h->page.len, err);
    if (rc == 0)
        rc = tsl_sink_done(&sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&sink, err);
    tsl_sink_close(&sink);
    return rc;
}

/* ---- life ---- */

/* The mask token's id, as the meta of samples has it. */
static void find_mask(struct crec_html *h)
{
    const char *meta = tsl_recreader_head(h->r)->meta;
    struct tsl_jsonread *doc;
    if (!meta || tsl_jsonread_parse(
                     &doc, (struct tsl_slice){ (const uint8_t *)meta, strlen(meta) },
                     "meta", NULL) < 0)
        return;
    tsl_jsonread_int(
        tsl_jsonread_get(tsl_jsonread_get(tsl_jsonread_root(doc), "specials"), "mask"),
        &h->mask_id);
    tsl_jsonread_destroy(doc);
}

static int find_shards(struct crec_html *h, uint64_t memory, struct tsl_err *err)
{
    struct tsl_source src = TSL_SOURCE_CLOSED;
    if (strcmp(tsl_recreader_format(h->r), tsl_rec_set.name) != 0)
        return 0;
    size_t cap = strlen(h->path) + 16;
    char *name = tsl_mem_alloc(cap, 1, "a name", err);
    if (!name)
        return TSL_ENOMEM;
    snprintf(name, cap, "%s%s", h->path,
             tsl_file_is_folder(h->path) ? "/manifest.json" : "");
    int rc = tsl_source_open(&src, name, 8 << 20, err);
    if (rc == 0)
        rc = tsl_manifest_read(&h->set, name, &src, memory, err);
    if (rc == 0 && h->set.nshards) {
        h->shards = tsl_mem_alloc(h->set.nshards, sizeof *h->shards, "shards", err);
        rc = h->shards ? 0 : TSL_ENOMEM;
        h->shard_left = h->set.shards[0].records;
    }
    tsl_source_close(&src, NULL);
    tsl_mem_free(name);
    return rc;
}

int crec_html_create(struct crec_html **out, const struct tsl_recreader *r,
                     const char *path, uint64_t memory, struct tsl_err *err)
{
    struct crec_html *h = tsl_mem_alloc(1, sizeof *h, "a page", err);
    if (!h)
        return TSL_ENOMEM;
    h->r = r;
    h->path = path;
    h->width = 1;
    h->mask_id = -1;
    find_columns(h);
    find_mask(h);
    int rc = find_shards(h, memory, err);
    if (rc == 0)
        *out = h;
    else
        crec_html_destroy(h);
    return rc;
}

void crec_html_destroy(struct crec_html *h)
{
    if (!h)
        return;
    tsl_manifest_fini(&h->set);
    tsl_mem_free(h->shards);
    tsl_html_fini(&h->page);
    tsl_mem_free(h);
}
