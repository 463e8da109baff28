#include "train/docwindows.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/widen.h"

struct tsl_docwindows {
    struct tsl_docwindows_opts o;
    struct tsl_trainfields f;
    struct tsl_recreader *r; /* lent */
    const char *name;        /* lent */
    uint64_t
        *ends; /* [ndocs]: tokens up to each document's end, doc_end not among them */
    uint64_t *windows; /* [ndocs]: within: windows up to there */
    size_t ndocs, cap;
    uint64_t count;
    /* resident: the tokens, of 2 bytes, or of 4 */
    uint8_t *tokens;
    size_t tokens_cap; /* bytes */
    bool wide, resident;
    uint64_t here; /* the document that is at hand, of those that are picked */
    struct tsl_record rec;
};

enum { LEAST_BYTES = 1 << 20 };
static const uint64_t nowhere = UINT64_MAX;

void tsl_docwindows_destroy(struct tsl_docwindows *w)
{
    if (!w)
        return;
    tsl_pages_unmap(w->tokens, w->tokens_cap);
    tsl_mem_free(w->ends);
    tsl_mem_free(w->windows);
    tsl_mem_free(w);
}

static uint64_t ntokens(const struct tsl_docwindows *w)
{
    return w->ndocs ? w->ends[w->ndocs - 1] : 0;
}

/* Makes room for n more tokens; false: that is more than memory allows. */
static int make_room(struct tsl_docwindows *w, uint64_t n, bool *fits,
                     struct tsl_err *err)
{
    uint64_t need = (ntokens(w) + n) * (w->wide ? 4 : 2);
    size_t cap = w->tokens_cap ? w->tokens_cap : LEAST_BYTES;
    *fits = need <= w->o.memory;
    if (!*fits || need <= w->tokens_cap)
        return 0;
    while (cap < need)
        cap += cap / 2;
    uint8_t *p = w->tokens
                     ? tsl_pages_resize(w->tokens, w->tokens_cap, cap, "tokens", err)
                     : tsl_pages_map(cap, "tokens", err);
    if (!p)
        return TSL_ENOMEM;
    w->tokens = p;
    w->tokens_cap = cap;
    return 0;
}

/* From now on 4 bytes a token. */
static int widen_all(struct tsl_docwindows *w, struct tsl_err *err)
{
    uint64_t n = ntokens(w);
    size_t cap = (size_t)n * 4 + LEAST_BYTES;
    uint8_t *p = tsl_pages_map(cap, "tokens", err);
    if (!p)
        return TSL_ENOMEM;
    tsl_widen((uint32_t *)(void *)p, w->tokens, (size_t)n);
    tsl_pages_unmap(w->tokens, w->tokens_cap);
    w->tokens = p;
    w->tokens_cap = cap;
    w->wide = true;
    return 0;
}

static int no_number(const struct tsl_docwindows *w, uint64_t doc, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: record %" PRIu64 ": a token id is not in [0, 2^32)",
                       tsl_quote(w->name).s, doc);
}

/* Keeps a document's tokens, in pieces that fit a small buffer. */
static int keep(struct tsl_docwindows *w, const struct tsl_value *v, struct tsl_err *err)
{
    uint32_t buf[1024];
    uint64_t at = ntokens(w);
    bool fits = true;
    int rc = make_room(w, v->n, &fits, err);
    for (uint32_t i = 0; rc == 0 && fits && i < v->n;) {
        uint32_t n = v->n - i < 1024 ? v->n - i : 1024, most = 0;
        if (!tsl_trainfields_ids(buf, w->f.type[TSL_FIELD_IDS], v, i, n))
            return no_number(w, w->ndocs, err);
        for (uint32_t k = 0; k < n; k++)
            most |= buf[k];
        if (most > UINT16_MAX && !w->wide) { /* and this document once more */
            rc = widen_all(w, err);
            if (rc == 0)
                rc = make_room(w, v->n, &fits, err);
            i = 0;
            continue;
        }
        if (w->wide)
            memcpy(w->tokens + 4 * (at + i), buf, 4 * (size_t)n);
        else
            tsl_narrow(w->tokens + 2 * (at + i), buf, n);
        i += n;
    }
    if (rc == 0 && !fits) {
        tsl_pages_unmap(w->tokens, w->tokens_cap);
        w->tokens = NULL;
        w->tokens_cap = 0;
        w->resident = false;
    }
    return rc;
}

/* Windows of a stream of so many tokens: each but the first token is said once. */
static uint64_t windows_of(uint64_t n, uint32_t most)
{
    return n < 2 ? 0 : (n - 1 + most - 1) / most;
}

/* Tokens before document d's end, doc_end among them. */
static uint64_t end_of(const struct tsl_docwindows *w, uint64_t d)
{
    return w->ends[d] + (w->o.doc_end >= 0 ? d + 1 : 0);
}

static uint64_t begin_of(const struct tsl_docwindows *w, uint64_t d)
{
    return d ? end_of(w, d - 1) : 0;
}

static int count_windows(struct tsl_docwindows *w, struct tsl_err *err)
{
    if (!w->o.within) {
        w->count = windows_of(w->ndocs ? end_of(w, w->ndocs - 1) : 0, w->o.tokens_max);
        return 0;
    }
    w->windows = tsl_mem_alloc(w->ndocs + 1, sizeof *w->windows, "windows", err);
    if (!w->windows)
        return TSL_ENOMEM;
    for (size_t d = 0; d < w->ndocs; d++)
        w->windows[d] = w->count +=
            windows_of(end_of(w, d) - begin_of(w, d), w->o.tokens_max);
    return 0;
}

static int add_document(struct tsl_docwindows *w, uint64_t n, struct tsl_err *err)
{
    uint64_t end = ntokens(w) + n;
    int rc =
        tsl_mem_grow(&w->ends, &w->cap, w->ndocs + 1, sizeof *w->ends, "documents", err);
    if (rc == 0)
        w->ends[w->ndocs++] = end;
    return rc;
}

static int read_all(struct tsl_docwindows *w, struct tsl_err *err)
{
    struct tsl_record rec;
    int rc;
    while ((rc = tsl_recreader_next(w->r, &rec, err)) == 1) {
        const struct tsl_value *v = &rec.values[w->f.column[TSL_FIELD_IDS]];
        rc = w->resident ? keep(w, v, err) : 0;
        if (rc == 0)
            rc = add_document(w, v->n, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* Keeps the first record, which was picked: next goes on behind it. */
static int begin_again(struct tsl_docwindows *w, const struct tsl_record *first,
                       struct tsl_err *err)
{
    const struct tsl_value *v = &first->values[w->f.column[TSL_FIELD_IDS]];
    int rc = keep(w, v, err);
    return rc < 0 ? rc : add_document(w, v->n, err);
}

/* A stream's pieces have one size, but the last: where they are more than memory holds, that is
 * all that is to be known, and nothing is read. */
static int measure_stream(struct tsl_docwindows *w, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    struct tsl_record rec;
    uint64_t n;
    int id = tsl_dtype_bytes(w->f.type[TSL_FIELD_IDS]) > 2 ? 4 : 2;
    if (strcmp(tsl_recreader_format(w->r), "set") == 0)
        return 0; /* each shard's last piece is shorter */
    if (tsl_recreader_count(w->r, &n, &why) < 0)
        return why.code == TSL_EUSAGE ? 0 : tsl_err_pass(err, &why);
    int rc = n ? tsl_recreader_at(w->r, 0, &rec, err) : 0;
    if (rc <= 0)
        return rc;
    uint64_t piece = rec.values[w->f.column[TSL_FIELD_IDS]].n;
    if (piece * n <= w->o.memory / (unsigned)id)
        return begin_again(w, &rec, err);
    w->resident = false;
    for (uint64_t i = 0; rc >= 0 && i + 1 < n; i++)
        rc = add_document(w, piece, err);
    if (rc >= 0)
        rc = tsl_recreader_at(w->r, n - 1, &rec, err);
    return rc < 0 ? rc : add_document(w, rec.values[w->f.column[TSL_FIELD_IDS]].n, err);
}

static int check_picking(struct tsl_docwindows *w, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    struct tsl_record rec;
    if (w->resident || tsl_recreader_at(w->r, 0, &rec, &why) == 1)
        return 0;
    if (why.code != TSL_EUSAGE)
        return tsl_err_pass(err, &why);
    return tsl_err_set(err, TSL_EUSAGE,
                       "%s: %" PRIu64 " tokens are more than memory holds (%" PRIu64
                       " bytes), and no record of this format can be picked by number: "
                       "convert it with cshard, or give more memory",
                       tsl_quote(w->name).s, ntokens(w), w->o.memory);
}

int tsl_docwindows_open(struct tsl_docwindows **out, struct tsl_recreader *r,
                        const struct tsl_trainfields *f, const char *name,
                        const struct tsl_docwindows_opts *o, struct tsl_err *err)
{
    struct tsl_docwindows *w = tsl_mem_alloc(1, sizeof *w, "windows", err);
    if (!w)
        return TSL_ENOMEM;
    w->o = *o;
    w->f = *f;
    w->r = r;
    w->name = name;
    w->resident = true;
    w->here = nowhere;
    if (o->no_documents && (o->within || o->doc_end >= 0)) {
        tsl_docwindows_destroy(w);
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: its format does not say where documents begin, so they "
                           "cannot be kept apart",
                           tsl_quote(name).s);
    }
    int rc = o->no_documents ? measure_stream(w, err) : 0;
    if (rc == 0 && w->resident)
        rc = read_all(w, err);
    if (rc == 0)
        rc = check_picking(w, err);
    if (rc == 0)
        rc = count_windows(w, err);
    if (rc < 0) {
        tsl_docwindows_destroy(w);
        return rc;
    }
    *out = w;
    return 0;
}

uint64_t tsl_docwindows_count(const struct tsl_docwindows *w)
{
    return w->count;
}

uint64_t tsl_docwindows_tokens(const struct tsl_docwindows *w)
{
    return w->ndocs ? end_of(w, w->ndocs - 1) : 0;
}

bool tsl_docwindows_resident(const struct tsl_docwindows *w)
{
    return w->resident;
}

uint64_t tsl_docwindows_bytes(const struct tsl_docwindows *w)
{
    return w->tokens_cap + w->cap * sizeof *w->ends + (w->windows ? 8 * w->ndocs : 0);
}

/* ---- a window ---- */

/* The first of n sums that is more than x. */
static uint64_t first_above(const struct tsl_docwindows *w, bool of_windows, uint64_t x)
{
    uint64_t low = 0, high = w->ndocs - 1;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if ((of_windows ? w->windows[mid] : end_of(w, mid)) > x)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Tokens [from, from + n) of document d, doc_end not among them. */
static int fetch(struct tsl_docwindows *w, uint64_t d, uint64_t from, uint32_t n,
                 uint32_t *to, struct tsl_err *err)
{
    uint64_t at = (d ? w->ends[d - 1] : 0) + from;
    if (w->resident) {
        if (w->wide)
            memcpy(to, w->tokens + 4 * at, 4 * (size_t)n);
        else
            tsl_widen(to, w->tokens + 2 * at, n);
        return 0;
    }
    int rc = w->here == d ? 0 : tsl_recreader_at(w->r, d, &w->rec, err);
    w->here = rc < 0 ? nowhere : d;
    if (rc < 0)
        return rc;
    const struct tsl_value *v = &w->rec.values[w->f.column[TSL_FIELD_IDS]];
    if (v->n != w->ends[d] - (d ? w->ends[d - 1] : 0))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: record %" PRIu64 ": it changed meanwhile",
                           tsl_quote(w->name).s, d);
    return tsl_trainfields_ids(to, w->f.type[TSL_FIELD_IDS], v, (uint32_t)from, n)
               ? 0
               : no_number(w, d, err);
}

/* Tokens [from, from + n) of document d behind what s has; doc_end counts as its last. */
static int add(struct tsl_docwindows *w, uint64_t d, uint64_t from, uint32_t n,
               struct tsl_sample *s, struct tsl_err *err)
{
    uint64_t len = w->ends[d] - (d ? w->ends[d - 1] : 0);
    uint32_t real = from + n > len ? (uint32_t)(len - from) : n;
    int rc = real ? fetch(w, d, from, real, s->ids + s->n, err) : 0;
    if (rc == 0 && real < n)
        s->ids[s->n + real] = (uint32_t)w->o.doc_end;
    s->n += n;
    return rc;
}

int tsl_docwindows_get(struct tsl_docwindows *w, uint64_t i, struct tsl_sample *s,
                       struct tsl_err *err)
{
    uint32_t most = w->o.tokens_max + 1;
    int rc = 0;
    if (most > s->cap) {
        tsl_sample_fini(s);
        rc = tsl_sample_init(s, most, err);
    }
    if (rc < 0)
        return rc;
    tsl_sample_clear(s, i);
    uint64_t d = first_above(w, w->o.within, w->o.within ? i : i * w->o.tokens_max);
    uint64_t at = i * w->o.tokens_max;
    if (w->o.within)
        at = begin_of(w, d) + (i - (d ? w->windows[d - 1] : 0)) * w->o.tokens_max;
    for (; rc == 0 && s->n < most && d < w->ndocs; d++) {
        uint64_t end = end_of(w, d), left = end - at;
        uint32_t n = left < most - s->n ? (uint32_t)left : most - s->n;
        if (n == 0)
            continue;
        rc = add(w, d, at - begin_of(w, d), n, s, err);
        s->ends[s->nends++] = s->n;
        at += n;
        if (w->o.within)
            break;
    }
    if (s->nends == 1 || w->o.no_documents)
        s->nends = 0;
    s->first = s->n;
    memset(s->starts, 1, s->n);
    return rc;
}
