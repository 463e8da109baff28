#include "text/encodejob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "io/filemem.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "record/tokstream.h"
#include "text/jsonl.h"
#include "text/outbuf.h"
#include "text/sentence.h"
#include "text/vocabid.h"

/* Rows taken at a time: enough for an engine that works on many at once, and their tokens
 * stay in a near cache. */
enum { CHUNK_ROWS = 1024 };
enum {
    BATCH_MIN = 64 << 10,
    BATCH_MAX = 1 << 20,
    CODER_MIN = 4 << 20,
    CODER_MAX = 64 << 20,
    PROGRAM_BYTES = 16 << 20, /* beside opts.memory */
    /* Of a row that cannot be cut, an engine may hold this many bytes for each (measured: 20
     * to 60, but 240 where each character becomes several). */
    WHOLE_EACH = 48
};

static int put(struct tsl_outbuf *b, const void *p, size_t n, struct tsl_err *err)
{
    return tsl_outbuf_put(b, p, n, err);
}

/* ---- the job ---- */

/* Tokens of one row or sentence, [from, to) of an array; their spans count from base of the
 * row's text. */
struct segment {
    size_t from, to, base;
};

struct worker {
    struct tsl_coder *coder;
    struct tsl_tokens tok, wrapped, fin;
    struct tsl_tokens_store texts_of_tokens; /* of all three */
    struct tsl_row *texts, *units;           /* of the chunk: two a row for pairs */
    size_t units_cap, nunits;
    size_t *first_unit, *ends; /* of each row; of each unit, in tok */
    size_t ends_cap;
    struct segment *segments;
    size_t segments_cap;
    uint8_t *types; /* of fin */
    size_t types_cap;
    uint8_t *wrap_types;
    size_t wrap_types_cap;
    uint32_t *chars; /* characters before each byte of a text */
    size_t chars_cap;
};

struct counts {
    uint64_t rows, sentences, tokens, bytes, longest;
    uint64_t lengths[TSL_ENCODE_BUCKETS];
};

struct item {
    struct tsl_rowbatch b;
    size_t file;
    struct tsl_outbuf out;
    struct tsl_tokens
        tok; /* for the stream: tokens of each sentence, sentences of each row */
    uint32_t *sents, *docs;
    size_t nsents, sents_cap, ndocs, docs_cap;
    struct counts n;
    int rc; /* of row n.rows: told by write, which knows its number */
    struct tsl_err err;
};

/* A row longer than a batch, on its way through in stretches. */
struct longrow {
    struct worker w;
    uint8_t *buf;
    size_t len, cap, wait; /* wait: no sense in trying again with fewer bytes */
    size_t scanned;        /* bytes of the rest that were searched for sentences */
    struct tsl_sentence sentence;
    bool first, begun; /* the sentence's first stretch; it has tokens */
    uint64_t base, base_chars, tokens, bytes;
    size_t sentences;
    struct tsl_tokens all; /* for JSONL: the row so far */
    struct segment *segments;
    size_t segments_cap;
    size_t seg_from;
    struct tsl_outbuf out;
    struct tsl_filemem *file;       /* what does not fit in memory */
    struct tsl_coder_counts counts; /* of coders that are gone */
};

struct job {
    const struct tsl_encodejob_opts *o;
    const struct tsl_tokenizer *t;
    struct tsl_encodejob_plan plan;
    struct tsl_inputs *in;
    struct tsl_sink sink;
    struct tsl_tokstream_writer *stream;
    unsigned want; /* of tokens */
    struct tsl_jsonl_path paths[2];
    char *path_storage[2];
    uint64_t *decimal; /* of each id: up to 6 digits and a blank; their number on top */
    uint32_t ndecimal;
    char *spelled; /* each token as JSON has it, quotes included */
    uint64_t *spelled_at;
    struct tsl_tokens prefix, suffix; /* what the template puts around one text */
    struct worker *workers;
    struct longrow longrow;
    size_t file; /* that write is in, and its rows so far */
    uint64_t file_rows;
    struct counts n;
};

static bool json_out(const struct job *j)
{
    return j->o->format == TSL_ENCODE_JSONL;
}

/* ---- what each output looks like ---- */

static int make_decimals(struct job *j, struct tsl_err *err)
{
    uint32_t n = tsl_tokenizer_size(j->t);
    j->ndecimal = n < 1000000 ? n : 1000000;
    j->decimal = tsl_mem_alloc((size_t)j->ndecimal + 1, 8, "a table of numbers", err);
    for (uint32_t i = 0; j->decimal && i < j->ndecimal; i++) {
        uint64_t digits = ' ', len = 1;
        uint32_t rest = i;
        do {
            digits = digits << 8 | (uint64_t)('0' + rest % 10);
            rest /= 10;
            len++;
        } while (rest > 0);
        j->decimal[i] = TSL_LE64(digits | len << 56);
    }
    return j->decimal ? 0 : TSL_ENOMEM;
}

/* "12 7 345 ", into room for 11 bytes each and 8.  The length comes with the digits: taken
 * from what was stored, each number would wait for the store before it. */
static uint8_t *put_numbers(const struct job *j, uint8_t *to, const uint32_t *ids,
                            size_t n)
{
    const uint64_t *decimal = j->decimal;
    const uint32_t ndecimal = j->ndecimal;
    for (size_t i = 0; i < n; i++) {
        if (TSL_LIKELY(ids[i] < ndecimal)) {
            uint64_t digits = decimal[ids[i]];
            memcpy(to, &digits, sizeof digits);
            to += TSL_LE64(digits) >> 56;
        } else {
            to += sprintf((char *)to, "%" PRIu32 " ", ids[i]);
        }
    }
    return to;
}

/* Ids between brackets or up to the end of a line: joined by sep, nothing behind them. */
static int put_ids(const struct job *j, struct tsl_outbuf *b, const uint32_t *ids,
                   size_t n, char sep, struct tsl_err *err)
{
    while (n > 0) {
        size_t k = n < 65536 ? n : 65536;
        int rc = tsl_outbuf_reserve(b, 11 * k + 8, err);
        if (rc < 0)
            return rc;
        uint8_t *from = b->p + b->len, *to = put_numbers(j, from, ids, k);
        if (sep != ' ')
            for (uint8_t *p = from; p < to; p++)
                if (*p == ' ')
                    *p = (uint8_t)sep;
        ids += k;
        n -= k;
        b->len = (size_t)(to - b->p) - (n == 0);
    }
    return 0;
}

static int put_raw(const struct job *j, struct tsl_outbuf *b, const uint32_t *ids,
                   size_t n, struct tsl_err *err)
{
    int rc = tsl_outbuf_reserve(b, 4 * n + 4, err);
    if (rc < 0)
        return rc;
    uint8_t *to = b->p + b->len;
    if (j->o->format == TSL_ENCODE_U16)
        for (size_t i = 0; i < n; i++, to += 2) {
            to[0] = (uint8_t)ids[i];
            to[1] = (uint8_t)(ids[i] >> 8);
        }
    else
        for (size_t i = 0; i < n; i++, to += 4)
            tsl_store32(to, ids[i]);
    b->len = (size_t)(to - b->p);
    return 0;
}

static int make_spelled(struct job *j, struct tsl_err *err)
{
    uint32_t n = tsl_tokenizer_size(j->t);
    size_t cap = tsl_vocab_longest(tsl_tokenizer_vocab(j->t)) * 2 + 4096;
    struct tsl_outbuf b = { 0 };
    char *buf = tsl_mem_alloc(cap, 1, "a token", err);
    j->spelled_at =
        tsl_mem_alloc((size_t)n + 1, sizeof *j->spelled_at, "the tokens' names", err);
    int rc = buf && j->spelled_at ? 0 : TSL_ENOMEM;
    for (uint32_t id = 0; id < n && rc == 0; id++) {
        int len = tsl_tokenizer_spell(j->t, id, buf, cap);
        j->spelled_at[id] = b.len;
        size_t k = len < 0 ? 0 : (size_t)len < cap ? (size_t)len : cap;
        rc = tsl_outbuf_quoted(&b, (const uint8_t *)buf, k, err);
    }
    if (rc == 0)
        j->spelled_at[n] = b.len;
    j->spelled = (char *)b.p;
    tsl_mem_free(buf);
    return rc;
}

/* Where a span that ends at byte i ends, the whole of its last character in it. */
static uint32_t char_end(const uint32_t *chars, uint64_t begin, uint64_t i)
{
    return i > begin ? chars[i - 1] + 1 : chars[i];
}

/* One array of a JSON line over the tokens of all segments, in arrays of their own with
 * sentences. */
enum part { PART_IDS, PART_TOKENS, PART_OFFSETS, PART_TYPES };

static int put_part(const struct job *j, struct tsl_outbuf *b, enum part part,
                    const struct tsl_tokens *t, const struct segment *s,
                    const uint32_t *chars, const uint8_t *types, struct tsl_err *err)
{
    int rc = put(b, "[", 1, err);
    if (part == PART_IDS)
        return rc < 0 || s->from == s->to
                   ? (rc < 0 ? rc : put(b, "]", 1, err))
                   : ((rc = put_ids(j, b, t->ids + s->from, s->to - s->from, ',', err)) <
                              0
                          ? rc
                          : put(b, "]", 1, err));
    for (size_t i = s->from; i < s->to && rc == 0; i++) {
        if (part == PART_TOKENS) {
            const uint64_t *at = &j->spelled_at[t->ids[i]];
            struct tsl_slice said = tsl_tokenizer_said(j->t, t, i);
            rc = said.data ? tsl_outbuf_quoted(b, said.data, said.len, err)
                           : put(b, j->spelled + at[0], (size_t)(at[1] - at[0]), err);
        } else if (part == PART_TYPES) {
            char id[4];
            rc = put(b, id, (size_t)sprintf(id, "%" PRIu8, types[i]), err);
        } else {
            uint64_t from = t->begin[i], to = t->end[i];
            bool template = to == 0 && t->marks[i] & TSL_TOKEN_SPECIAL;
            if (!template) {
                from += s->base;
                to += s->base;
                if (chars) {
                    to = char_end(chars, from, to);
                    from = chars[from];
                }
            }
            rc = tsl_outbuf_reserve(b, 48, err);
            if (rc == 0)
                b->len += (size_t)sprintf((char *)b->p + b->len,
                                          "[%" PRIu64 ",%" PRIu64 "]", from, to);
        }
        if (rc == 0 && i + 1 < s->to)
            rc = put(b, ",", 1, err);
    }
    return rc < 0 ? rc : put(b, "]", 1, err);
}

static int put_json(const struct job *j, struct tsl_outbuf *b, const struct tsl_tokens *t,
                    const struct segment *s, size_t n, const uint32_t *chars,
                    const uint8_t *types, struct tsl_err *err)
{
    static const char *const names[] = { "{\"ids\":", ",\"tokens\":", ",\"offsets\":",
                                         ",\"type_ids\":" };
    int rc = 0;
    for (int part = PART_IDS; part <= (types ? PART_TYPES : PART_OFFSETS); part++) {
        if (rc == 0)
            rc = put(b, names[part], strlen(names[part]), err);
        if (rc == 0 && j->o->sentences)
            rc = put(b, "[", 1, err);
        for (size_t i = 0; i < n && rc == 0; i++) {
            rc = put_part(j, b, (enum part)part, t, &s[i], chars, types, err);
            if (rc == 0 && i + 1 < n)
                rc = put(b, ",", 1, err);
        }
        if (rc == 0 && j->o->sentences)
            rc = put(b, "]", 1, err);
    }
    return rc < 0 ? rc : put(b, "}\n", 2, err);
}

static void count_row(struct counts *n, uint64_t sentences, uint64_t tokens,
                      uint64_t bytes)
{
    unsigned bucket = tokens ? 64 - (unsigned)__builtin_clzll(tokens) : 0;
    n->rows++;
    n->sentences += sentences;
    n->tokens += tokens;
    n->bytes += bytes;
    n->longest = tokens > n->longest ? tokens : n->longest;
    n->lengths[bucket < TSL_ENCODE_BUCKETS ? bucket : TSL_ENCODE_BUCKETS - 1]++;
}

static void add_counts(struct counts *to, const struct counts *from)
{
    to->rows += from->rows;
    to->sentences += from->sentences;
    to->tokens += from->tokens;
    to->bytes += from->bytes;
    to->longest = from->longest > to->longest ? from->longest : to->longest;
    for (int i = 0; i < TSL_ENCODE_BUCKETS; i++)
        to->lengths[i] += from->lengths[i];
}

/* ---- rows that fit in a batch ---- */

static int worker_init(const struct job *j, struct worker *w, size_t memory,
                       struct tsl_err *err)
{
    tsl_tokens_init(&w->tok, j->want);
    tsl_tokens_init(&w->wrapped, j->want);
    tsl_tokens_init(&w->fin, j->want);
    w->tok.store = w->wrapped.store = w->fin.store = &w->texts_of_tokens;
    w->texts = tsl_mem_alloc(2 * CHUNK_ROWS, sizeof *w->texts, "rows", err);
    w->first_unit = tsl_mem_alloc(CHUNK_ROWS + 1, sizeof *w->first_unit, "rows", err);
    w->coder = tsl_coder_create(j->t, memory, err);
    return w->texts && w->first_unit && w->coder ? 0 : TSL_ENOMEM;
}

static void worker_fini(struct worker *w)
{
    tsl_coder_destroy(w->coder);
    tsl_tokens_fini(&w->tok);
    tsl_tokens_fini(&w->wrapped);
    tsl_tokens_fini(&w->fin);
    tsl_tokens_store_fini(&w->texts_of_tokens);
    tsl_mem_free(w->texts);
    tsl_mem_free(w->first_unit);
    tsl_mem_free(w->units);
    tsl_mem_free(w->ends);
    tsl_mem_free(w->segments);
    tsl_mem_free(w->types);
    tsl_mem_free(w->wrap_types);
    tsl_mem_free(w->chars);
}

/* A field of a JSON line, decoded where it lies. */
static int take_field(uint8_t *bytes, const struct tsl_jsonl_value *v,
                      const struct tsl_jsonl_path *path, struct tsl_row *out,
                      struct tsl_err *err)
{
    if (v->kind == TSL_JSONL_NONE)
        return tsl_err_set(err, TSL_EFORMAT,
                           "there is no field %s; --json-field names another",
                           tsl_quote(path->spec).s);
    if (v->kind != TSL_JSONL_STRING)
        return tsl_err_set(err, TSL_EFORMAT, "the field %s is no string",
                           tsl_quote(path->spec).s);
    size_t at = (size_t)(v->raw.data - bytes), len = v->raw.len;
    if (v->escaped)
        len = tsl_jsonl_decode(v->raw, bytes + at);
    *out = (struct tsl_row){ (uint32_t)at, (uint32_t)len };
    return 0;
}

/* The texts of a row: one, or a pair's two. */
static int find_texts(const struct job *j, uint8_t *bytes, const struct tsl_row *row,
                      struct tsl_row *texts, struct tsl_err *err)
{
    const struct tsl_encodejob_opts *o = j->o;
    uint8_t *p = bytes + row->at;
    if (o->field) {
        struct tsl_jsonl_value v[2];
        struct tsl_slice line = { p, row->len };
        int rc = tsl_jsonl_find(line, j->paths, 1 + o->pair, v, err);
        for (int k = 0; k < 1 + o->pair && rc == 0; k++)
            rc = take_field(bytes, &v[k], &j->paths[k], &texts[k], err);
        return rc;
    }
    texts[0] = *row;
    if (!o->pair)
        return 0;
    const uint8_t *tab = row->len ? memchr(p, '\t', row->len) : NULL;
    if (!tab)
        return tsl_err_set(err, TSL_EFORMAT,
                           "a pair takes two texts with a tab between them");
    texts[0].len = (uint32_t)(tab - p);
    texts[1].at = row->at + texts[0].len + 1;
    texts[1].len = row->len - texts[0].len - 1;
    return 0;
}

static int add_unit(struct worker *w, size_t at, size_t len, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&w->units, &w->units_cap, w->nunits + 1, sizeof *w->units,
                          "rows", err);
    if (rc == 0)
        w->units[w->nunits++] = (struct tsl_row){ (uint32_t)at, (uint32_t)len };
    return rc;
}

static int find_sentences(struct worker *w, const uint8_t *bytes,
                          const struct tsl_row *text, struct tsl_err *err)
{
    struct tsl_sentence s;
    size_t from = text->at, at = from, end = at + text->len;
    tsl_sentence_init(&s);
    while (at < end) {
        at += tsl_sentence_next(&s, bytes + at, end - at);
        int rc = add_unit(w, from, at - from, err);
        if (rc < 0)
            return rc;
        from = at;
    }
    return 0;
}

/* Encodes all units; where one fails, *failed is its number. */
static int encode_units(struct worker *w, const uint8_t *bytes, struct tsl_tokens *tok,
                        size_t *failed, struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&w->ends, &w->ends_cap, w->nunits + 1, sizeof *w->ends, "rows", err);
    if (rc < 0)
        return rc;
    size_t before = tok->n;
    struct tsl_err why = { 0 };
    rc = tsl_coder_encode_rows(w->coder, bytes, w->units, w->nunits, tok, w->ends, &why);
    if (rc == 0 || rc == TSL_ENOMEM)
        return rc == 0 ? 0 : tsl_err_pass(err, &why);
    /* which one was it? */
    for (size_t i = 0; i < w->nunits; i++) {
        size_t used;
        struct tsl_slice text = { bytes + w->units[i].at, w->units[i].len };
        struct tsl_err e = { 0 };
        tok->n = before;
        int one = tsl_coder_encode(w->coder, text, true, true, &used, tok, &e);
        if (one < 0) {
            *failed = i;
            tok->n = before;
            return tsl_err_pass(err, &e);
        }
    }
    return tsl_err_pass(err, &why);
}

/* Puts the template around a text's tokens, or a pair's, and adds the result to fin. */
static int wrap(const struct job *j, struct worker *w, struct tsl_tokens *fin,
                const struct tsl_tokens *a, const struct tsl_tokens *b,
                struct tsl_err *err)
{
    bool types = json_out(j) && j->o->pair;
    tsl_tokens_reset(&w->wrapped);
    int rc = tsl_coder_wrap(w->coder, a, b, &w->wrapped, types ? &w->wrap_types : NULL,
                            types ? &w->wrap_types_cap : NULL, err);
    if (rc == 0 && types) {
        rc = tsl_mem_grow(&w->types, &w->types_cap, fin->n + w->wrapped.n + 1, 1,
                          "type ids", err);
        if (rc == 0 && w->wrapped.n)
            memcpy(w->types + fin->n, w->wrap_types, w->wrapped.n);
    }
    return rc < 0 ? rc : tsl_tokens_append(fin, &w->wrapped, 0, w->wrapped.n, err);
}

/* Characters before each byte of p[0, n), and at its end. */
static int map_chars(struct worker *w, const uint8_t *p, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&w->chars, &w->chars_cap, n + 1, sizeof *w->chars,
                          "character offsets", err);
    uint32_t c = 0, cp;
    for (size_t i = 0; i < n && rc == 0; c++)
        for (size_t e = i + tsl_utf8_decode(p + i, p + n, &cp); i < e; i++)
            w->chars[i] = c;
    if (rc == 0)
        w->chars[n] = c;
    return rc;
}

static int keep_for_stream(struct item *it, const struct segment *s, size_t n,
                           struct tsl_err *err)
{
    int rc = tsl_mem_grow(&it->sents, &it->sents_cap, it->nsents + n + 1,
                          sizeof *it->sents, "sentences", err);
    if (rc == 0)
        rc = tsl_mem_grow(&it->docs, &it->docs_cap, it->ndocs + 1, sizeof *it->docs,
                          "documents", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        it->sents[it->nsents++] = (uint32_t)(s[i].to - s[i].from);
    it->docs[it->ndocs++] = (uint32_t)n;
    return 0;
}

/* A row's segments, as the output wants them. */
static int emit_row(const struct job *j, struct worker *w, struct item *it,
                    const uint8_t *bytes, const struct tsl_row *text,
                    const struct tsl_tokens *t, size_t n, struct tsl_err *err)
{
    const struct segment *s = w->segments;
    struct tsl_outbuf *b = &it->out;
    int rc = 0;
    switch (j->o->format) {
    case TSL_ENCODE_IDS:
        for (size_t i = 0; i < n && rc == 0; i++) {
            rc = put_ids(j, b, t->ids + s[i].from, s[i].to - s[i].from, ' ', err);
            if (rc == 0)
                rc = put(b, "\n", 1, err);
        }
        if (rc == 0 && (n == 0 || j->o->sentences))
            rc = put(b, "\n", 1, err);
        break;
    case TSL_ENCODE_U16:
    case TSL_ENCODE_U32:
        for (size_t i = 0; i < n && rc == 0; i++)
            rc = put_raw(j, b, t->ids + s[i].from, s[i].to - s[i].from, err);
        break;
    case TSL_ENCODE_STREAM: rc = keep_for_stream(it, s, n, err); break;
    case TSL_ENCODE_JSONL: {
        static const struct segment none;
        /* for a pair, offsets of either text count from its own begin: bytes only */
        bool chars = j->o->chars && !j->o->pair;
        if (chars)
            rc = map_chars(w, bytes + text->at, text->len, err);
        bool empty = n == 0 && !j->o->sentences;
        if (rc == 0)
            rc = put_json(j, b, t, empty ? &none : s, empty ? 1 : n,
                          chars ? w->chars : NULL, j->o->pair ? w->types : NULL, err);
        break;
    }
    }
    return rc;
}

/* Row i of the chunk: its units have been encoded. */
static int finish_row(const struct job *j, struct worker *w, struct item *it,
                      const uint8_t *bytes, size_t i, struct tsl_tokens *tok,
                      size_t tok_begin, struct tsl_err *err)
{
    const struct tsl_row *text = &w->texts[2 * i];
    size_t u = w->first_unit[i], end = w->first_unit[i + 1], n = 0, ntokens = 0;
    bool stream = j->o->format == TSL_ENCODE_STREAM;
    struct tsl_tokens *fin = !j->o->specials ? tok : stream ? &it->tok : &w->fin;
    int rc = tsl_mem_grow(&w->segments, &w->segments_cap, end - u + 1,
                          sizeof *w->segments, "sentences", err);
    if (rc == 0 && fin == &w->fin)
        tsl_tokens_reset(fin);
    for (; u < end && rc == 0; u++) {
        size_t from = u ? w->ends[u - 1] : tok_begin, to = w->ends[u];
        size_t base = w->units[u].at - text->at;
        if (from == to && (j->o->sentences || !j->o->specials))
            continue;
        if (j->o->specials) {
            struct tsl_tokens a = tsl_tokens_view(tok, from, to), b;
            if (j->o->pair) {
                b = tsl_tokens_view(tok, to, w->ends[u + 1]);
                u++;
            }
            from = fin->n;
            rc = wrap(j, w, fin, &a, j->o->pair ? &b : NULL, err);
            to = fin->n;
        }
        w->segments[n++] = (struct segment){ from, to, base };
        ntokens += to - from;
    }
    if (rc == 0)
        rc = emit_row(j, w, it, bytes, text, fin, n, err);
    if (rc == 0)
        count_row(&it->n, n, ntokens,
                  text->len + (j->o->pair ? w->texts[2 * i + 1].len : 0));
    return rc;
}

/* Rows of one chunk, into the item's output.  What a row itself has done wrong is left in
 * it->rc. */
static int do_rows(const struct job *j, struct worker *w, struct item *it, uint8_t *bytes,
                   const struct tsl_row *rows, size_t n, struct tsl_err *err)
{
    bool direct = j->o->format == TSL_ENCODE_STREAM && !j->o->specials;
    struct tsl_tokens *tok = direct ? &it->tok : &w->tok;
    int rc = 0;
    size_t i;
    w->nunits = 0;
    for (i = 0; i < n && rc == 0; i++) {
        struct tsl_row *texts = &w->texts[2 * i];
        w->first_unit[i] = w->nunits;
        it->rc = find_texts(j, bytes, &rows[i], texts, &it->err);
        if (it->rc == TSL_ENOMEM)
            rc = tsl_err_pass(err, &it->err);
        if (it->rc < 0)
            break;
        if (j->o->sentences) {
            rc = find_sentences(w, bytes, texts, err);
            continue;
        }
        for (int k = 0; k < 1 + j->o->pair && rc == 0; k++)
            rc = add_unit(w, texts[k].at, texts[k].len, err);
    }
    n = i; /* rows in front of one that is wrong are still looked at: theirs comes first */
    if (rc < 0)
        return rc;
    w->first_unit[n] = w->nunits;
    if (!direct)
        tsl_tokens_reset(tok);
    w->texts_of_tokens.len = 0;
    size_t begin = tok->n, failed = SIZE_MAX;
    struct tsl_err why = { 0 };
    rc = encode_units(w, bytes, tok, &failed, &why);
    if (rc < 0) {
        if (failed == SIZE_MAX)
            return tsl_err_pass(err, &why);
        for (i = 0; i < n && w->first_unit[i + 1] <= failed; i++)
            ;
        it->n.rows += i;
        it->rc = rc;
        it->err = why;
        return 0;
    }
    for (i = 0; i < n && rc == 0; i++)
        rc = finish_row(j, w, it, bytes, i, tok, begin, err);
    return rc;
}

static int work(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct tsl_rowbatch *b = &it->b;
    struct worker *w = &j->workers[worker];
    if (b->kind == TSL_BATCH_PIECE)
        return 0; /* one coder has to see all of them: write's */
    for (size_t at = 0; at < b->len && it->rc == 0;) {
        size_t n;
        at =
            tsl_frame_split(&j->o->frame, b->bytes, b->len, at, b->rows, b->rows_cap, &n);
        if (n == 0)
            break;
        int rc = do_rows(j, w, it, b->bytes, b->rows, n, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    it->out.len = 0;
    tsl_tokens_reset(&it->tok);
    it->nsents = it->ndocs = 0;
    memset(&it->n, 0, sizeof it->n);
    it->rc = 0;
    it->err.code = 0;
    int rc = tsl_inputs_next(j->in, &it->b, err);
    it->file = tsl_inputs_file(j->in);
    return rc;
}

/* ---- rows longer than a batch ---- */

static int row_error(const struct job *j, uint64_t row, int rc, const struct tsl_err *why,
                     struct tsl_err *err)
{
    const struct tsl_encodejob_opts *o = j->o;
    const char *path = j->file < o->npaths ? o->paths[j->file] : "-";
    const char *name = strcmp(path, "-") ? tsl_quote(path).s : "standard input";
    char copy[sizeof(struct tsl_quoted)];
    snprintf(copy, sizeof copy, "%s", name);
    return tsl_err_set(err, rc, "%s: %s %" PRIu64 "%s %s", copy,
                       o->frame.kind == TSL_FRAME_LINE ? "line" : "row",
                       j->file_rows + row + 1,
                       strncmp(why->msg, "column ", 7) == 0 ? "," : ":", why->msg);
}

/* Rows and tokens of 2 GiB: what their numbers have room for. */
static int too_long(const struct job *j, const char *what, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    tsl_err_set(&why, TSL_EUSAGE, "%s than %zu MiB", what, j->plan.whole_max >> 20);
    return row_error(j, 0, TSL_EUSAGE, &why, err);
}

/* A row of n bytes or more that has not been cut: what it takes lies in a file, if it is too
 * much. */
static int long_home(struct job *j, size_t n, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    struct tsl_err why = { 0 };
    if (!l->file && n > j->plan.memory / WHOLE_EACH) {
        size_t most = j->plan.memory / 4 * 3;
        int rc = tsl_filemem_create(&l->file, j->o->tmpdir ? j->o->tmpdir : "/tmp", most,
                                    &why);
        if (rc < 0)
            return row_error(j, 0, rc, &why, err);
    }
    tsl_mem_home_use(l->file != NULL);
    return 0;
}

static void long_begin(struct longrow *l)
{
    l->len = l->wait = l->scanned = 0;
    tsl_sentence_init(&l->sentence);
    l->first = true;
    l->begun = false;
    l->base = l->base_chars = l->tokens = l->bytes = 0;
    l->sentences = l->seg_from = 0;
    l->w.texts_of_tokens.len = 0;
    tsl_tokens_reset(&l->all);
}

/* Tokens of the current sentence, in any of the outputs. */
static int long_put(struct job *j, const struct tsl_tokens *t, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    int rc = 0;
    if (t->n == 0)
        return 0;
    if (json_out(j)) {
        rc = long_home(j, (l->all.n + t->n) * 17 / 4, err);
        if (rc < 0)
            return rc;
    }
    switch (j->o->format) {
    case TSL_ENCODE_IDS:
        rc = l->begun ? put(&l->out, " ", 1, err) : 0;
        if (rc == 0)
            rc = put_ids(j, &l->out, t->ids, t->n, ' ', err);
        break;
    case TSL_ENCODE_U16:
    case TSL_ENCODE_U32: rc = put_raw(j, &l->out, t->ids, t->n, err); break;
    case TSL_ENCODE_STREAM:
        rc = tsl_tokstream_writer_put(j->stream, t->ids, t->marks, t->n, err);
        break;
    case TSL_ENCODE_JSONL: rc = tsl_tokens_append(&l->all, t, 0, t->n, err); break;
    }
    l->begun = true;
    l->tokens += t->n;
    return rc;
}

/* Tokens of a stretch at l->base of the row's text: spans become those of the row. */
static int long_tokens(struct job *j, const uint8_t *text, size_t used,
                       struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    struct tsl_tokens *t = &l->w.tok;
    int rc = 0;
    if (json_out(j)) {
        uint64_t base = j->o->chars ? l->base_chars : l->base;
        if (l->base + used > UINT32_MAX)
            return too_long(j, "a row is longer", err);
        if (j->o->chars) {
            /* a token may reach into what comes again: never beyond the text */
            size_t n = used;
            for (size_t i = 0; i < t->n; i++)
                n = t->end[i] > n ? t->end[i] : n;
            rc = map_chars(&l->w, text, n, err);
            if (rc < 0)
                return rc;
            l->base_chars += l->w.chars[used];
        }
        for (size_t i = 0; i < t->n; i++) {
            uint32_t b = t->begin[i], e = t->end[i];
            t->begin[i] = (uint32_t)(base + (j->o->chars ? l->w.chars[b] : b));
            t->end[i] = (uint32_t)(base + (j->o->chars ? char_end(l->w.chars, b, e) : e));
        }
    }
    if (!l->begun && j->o->specials && (t->n || !j->o->sentences))
        rc = long_put(j, &j->prefix, err);
    return rc < 0 ? rc : long_put(j, t, err);
}

static int long_end_sentence(struct job *j, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    int rc = 0;
    if (l->begun) {
        if (j->o->specials)
            rc = long_put(j, &j->suffix, err);
        l->sentences++;
        if (rc == 0 && j->o->format == TSL_ENCODE_IDS)
            rc = put(&l->out, "\n", 1, err);
        if (rc == 0 && json_out(j)) {
            rc = tsl_mem_grow(&l->segments, &l->segments_cap, l->sentences,
                              sizeof *l->segments, "sentences", err);
            if (rc == 0)
                l->segments[l->sentences - 1] =
                    (struct segment){ l->seg_from, l->all.n, 0 };
            l->seg_from = l->all.n;
        }
    }
    if (j->stream)
        tsl_tokstream_writer_end_sentence(j->stream);
    l->begun = false;
    l->first = true;
    l->scanned = 0;
    return rc;
}

static int long_end_row(struct job *j, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    static const struct segment none;
    int rc = 0;
    switch (j->o->format) {
    case TSL_ENCODE_IDS:
        if (l->sentences == 0 || j->o->sentences)
            rc = put(&l->out, "\n", 1, err);
        break;
    case TSL_ENCODE_JSONL: {
        bool empty = l->sentences == 0 && !j->o->sentences;
        rc = put_json(j, &l->out, &l->all, empty ? &none : l->segments,
                      empty ? 1 : l->sentences, NULL, NULL, err);
        break;
    }
    case TSL_ENCODE_STREAM: rc = tsl_tokstream_writer_end_document(j->stream, err); break;
    case TSL_ENCODE_U16:
    case TSL_ENCODE_U32: break;
    }
    if (rc == 0)
        rc = tsl_outbuf_flush(&l->out, err);
    count_row(&j->n, l->sentences, l->tokens, l->bytes);
    j->file_rows++;
    return rc;
}

/* Encodes what can be of p[0, n), which goes on where the last call stopped; last: the
 * text ends there.  *used: bytes that were done. */
static int long_stretch(struct job *j, const uint8_t *p, size_t n, bool last,
                        size_t *used, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    size_t at = 0, avail = last ? n : n - tsl_utf8_open(p, n);
    for (;;) {
        size_t end = avail, done;
        bool cut = false;
        if (j->o->sentences && at + l->scanned < avail) {
            size_t from = at + l->scanned;
            end = from + tsl_sentence_next(&l->sentence, p + from, avail - from);
            cut = end < avail;
        }
        bool whole = cut || last;
        struct tsl_slice text = { p + at, end - at };
        struct tsl_err why = { 0 };
        tsl_tokens_reset(&l->w.tok);
        int rc =
            tsl_coder_encode(l->w.coder, text, l->first, whole, &done, &l->w.tok, &why);
        if (rc < 0)
            return row_error(j, 0, rc, &why, err);
        rc = long_tokens(j, text.data, done, err);
        if (rc < 0)
            return rc;
        l->first = l->first && done == 0;
        l->base += done;
        l->bytes += done;
        at += done;
        if (!whole) {
            l->scanned = end - at;
            break;
        }
        rc = long_end_sentence(j, err);
        if (rc < 0)
            return rc;
        if (!cut)
            break;
    }
    *used = at;
    return 0;
}

static int write_stream(struct job *j, const struct item *it, struct tsl_err *err)
{
    const uint32_t *ids = it->tok.ids;
    const uint8_t *marks = it->tok.marks;
    size_t s = 0;
    for (size_t d = 0; d < it->ndocs; d++) {
        for (size_t e = s + it->docs[d]; s < e; s++) {
            int rc = tsl_tokstream_writer_put(j->stream, ids, marks, it->sents[s], err);
            if (rc < 0)
                return rc;
            ids += it->sents[s];
            marks += it->sents[s];
            tsl_tokstream_writer_end_sentence(j->stream);
        }
        int rc = tsl_tokstream_writer_end_document(j->stream, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Whether a row's tokens have to be there as a whole before any is put out. */
static bool wraps_whole(const struct job *j)
{
    return j->o->specials && tsl_tokenizer_cuts(j->t);
}

/* The whole row was needed, and is there. */
static int long_whole(struct job *j, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    struct tsl_row row = { 0, (uint32_t)l->len }, texts[2];
    struct tsl_err why = { 0 };
    if (j->o->pair || wraps_whole(j)) {
        struct item it = { .out = l->out };
        it.tok.want = j->want;
        it.tok.store = &l->w.texts_of_tokens;
        int rc = do_rows(j, &l->w, &it, l->buf, &row, 1, err);
        if (rc == 0 && it.rc < 0)
            rc = row_error(j, 0, it.rc, &it.err, err);
        l->out = it.out;
        if (rc == 0 && j->stream)
            rc = write_stream(j, &it, err);
        if (rc == 0)
            rc = tsl_outbuf_flush(&l->out, err);
        add_counts(&j->n, &it.n);
        j->file_rows++;
        tsl_tokens_fini(&it.tok);
        tsl_mem_free(it.sents);
        tsl_mem_free(it.docs);
        return rc;
    }
    int rc = find_texts(j, l->buf, &row, texts, &why);
    if (rc < 0)
        return row_error(j, 0, rc, &why, err);
    const uint8_t *p = l->buf + texts[0].at;
    size_t at = 0, window = j->plan.batch_bytes, used;
    bool last;
    do {
        size_t n = texts[0].len - at < window ? texts[0].len - at : window;
        last = at + n == texts[0].len;
        rc = long_stretch(j, p + at, n, last, &used, err);
        if (rc < 0)
            return rc;
        at += used;
        window = used ? j->plan.batch_bytes : 2 * window;
    } while (!last);
    return long_end_row(j, err);
}

/* Nothing is kept of a row that was in a file. */
static void long_leave(struct job *j)
{
    struct longrow *l = &j->longrow;
    tsl_mem_home_use(false);
    if (!l->file)
        return;
    if (l->w.coder) {
        struct tsl_coder_counts n = tsl_coder_counts(l->w.coder);
        l->counts.unknown += n.unknown;
        l->counts.invalid += n.invalid;
    }
    worker_fini(&l->w);
    memset(&l->w, 0, sizeof l->w);
    tsl_mem_free(l->buf);
    l->buf = NULL;
    l->len = l->cap = 0;
    tsl_tokens_fini(&l->all);
    tsl_mem_free(l->segments);
    l->segments = NULL;
    l->segments_cap = 0;
    tsl_outbuf_fini(&l->out);
    tsl_filemem_destroy(l->file);
    l->file = NULL;
}

/* Bytes of a long row, which long_piece has made room for. */
static int long_take(struct job *j, const struct tsl_rowbatch *b, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    const uint8_t *p = b->bytes + b->rows[0].at;
    size_t n = b->rows[0].len;
    bool assemble = j->o->pair || wraps_whole(j) || j->o->field;
    int rc = 0;
    if (b->first) {
        if (!l->w.coder) {
            rc = worker_init(j, &l->w, CODER_MIN, err);
            tsl_tokens_init(&l->all, j->want);
            l->all.store = &l->w.texts_of_tokens;
            l->out.sink = j->stream ? NULL : &j->sink;
        }
        long_begin(l);
    }
    if (rc == 0 && l->len + n > j->plan.whole_max)
        return too_long(j, assemble ? "this row is longer" : "a word is longer", err);
    if (rc == 0)
        rc = long_home(j, l->len + n, err);
    if (rc == 0)
        rc = tsl_mem_grow(&l->buf, &l->cap, l->len + n + TSL_BATCH_SLACK, 1, "a long row",
                          err);
    if (rc < 0)
        return rc;
    memcpy(l->buf + l->len, p, n);
    l->len += n;
    if (assemble)
        return b->last ? long_whole(j, err) : 0;
    if (l->len < l->wait && !b->last)
        return 0;
    size_t used = 0;
    rc = long_stretch(j, l->buf, l->len, b->last, &used, err);
    if (rc < 0)
        return rc;
    l->len -= used;
    memmove(l->buf, l->buf + used, l->len);
    /* tried again only when there is twice as much, so that a row which cannot be cut is
     * not encoded over and over */
    l->wait = used ? 0 : 2 * l->len;
    return b->last ? long_end_row(j, err) : 0;
}

static int long_piece(struct job *j, const struct tsl_rowbatch *b, struct tsl_err *err)
{
    bool last = b->last;
    int rc = long_take(j, b, err);
    if (rc < 0 || last)
        long_leave(j);
    tsl_mem_home_use(false);
    return rc;
}

/* ---- in order ---- */

static void tell(const struct job *j, const struct item *it)
{
    struct tsl_progress *p = j->o->progress;
    if (!p)
        return;
    atomic_store_explicit(&p->rows_in, j->n.rows, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->bytes_in, it->b.len, memory_order_relaxed);
    atomic_store_explicit(&p->rows_out, j->n.rows, memory_order_relaxed);
    atomic_store_explicit(&p->bytes_out, j->sink.bytes, memory_order_relaxed);
}

static int write_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    int rc;
    if (it->file != j->file) {
        j->file = it->file;
        j->file_rows = 0;
    }
    if (it->b.kind == TSL_BATCH_PIECE) {
        rc = long_piece(j, &it->b, err);
        tell(j, it);
        return rc;
    }
    if (it->rc < 0)
        return row_error(j, it->n.rows, it->rc, &it->err, err);
    rc = j->stream ? write_stream(j, it, err)
                   : tsl_sink_write(&j->sink, it->out.p, it->out.len, err);
    add_counts(&j->n, &it->n);
    j->file_rows += it->n.rows;
    tell(j, it);
    /* what one batch has blown up is not kept for all to come */
    if (it->out.cap > 32 * j->plan.batch_bytes) {
        tsl_mem_free(it->out.p);
        it->out = (struct tsl_outbuf){ 0 };
    }
    return rc;
}

/* ---- the whole ---- */

int tsl_encodejob_plan(const struct tsl_encodejob_opts *o, struct tsl_encodejob_plan *p,
                       struct tsl_err *err)
{
    /* Of a batch's bytes, what an item holds: the bytes, and tokens or text made of them. */
    size_t factor = o->format == TSL_ENCODE_JSONL ? 20 : 8;
    size_t held = o->held < PROGRAM_BYTES ? 0 : o->held - PROGRAM_BYTES;
    unsigned n = o->nthreads;
    for (;; n--) {
        size_t frames = o->codec == TSL_CODEC_NONE ? 1 << 20 : (size_t)n * 3 << 20;
        size_t fixed = held + frames + CODER_MIN; /* the long row's coder */
        size_t items = 2 * (size_t)n + 2;
        size_t least = fixed + n * (size_t)CODER_MIN + items * factor * BATCH_MIN;
        if (o->memory < least && n > 1)
            continue;
        if (o->memory < least)
            return tsl_err_set(err, TSL_EUSAGE,
                               "%zu MiB of memory are too little: vocabulary, caches and "
                               "buffers take at least %zu (-m %zuM)",
                               o->memory >> 20, (least >> 20) + 1, (least >> 20) + 1);
        size_t rest = o->memory - fixed, coder = rest / 2 / n,
               batch = rest / 4 / (items * factor);
        p->memory = o->memory;
        p->nthreads = n;
        p->nbatches = (unsigned)items;
        p->coder_bytes = coder < CODER_MIN   ? CODER_MIN
                         : coder > CODER_MAX ? CODER_MAX
                                             : coder;
        p->batch_bytes = batch < BATCH_MIN   ? BATCH_MIN
                         : batch > BATCH_MAX ? BATCH_MAX
                                             : batch & ~(size_t)4095;
        p->whole_max = UINT32_MAX / 2;
        return 0;
    }
}

/* What the template puts around one text, found by wrapping a token that no template has.
 */
static int find_template(struct job *j, struct tsl_err *err)
{
    struct tsl_tokens one, all;
    tsl_tokens_init(&one, j->want);
    tsl_tokens_init(&all, j->want);
    tsl_tokens_init(&j->prefix, j->want);
    tsl_tokens_init(&j->suffix, j->want);
    if (!j->o->specials)
        return 0;
    int rc = tsl_tokens_add(&one, UINT32_MAX, 0, 0, 0, err);
    if (rc == 0)
        rc = tsl_coder_wrap(j->workers[0].coder, &one, NULL, &all, NULL, NULL, err);
    size_t at = 0;
    while (rc == 0 && at < all.n && all.ids[at] != UINT32_MAX)
        at++;
    if (rc == 0)
        rc = tsl_tokens_append(&j->prefix, &all, 0, at, err);
    if (rc == 0 && at < all.n)
        rc = tsl_tokens_append(&j->suffix, &all, at + 1, all.n - at - 1, err);
    tsl_tokens_fini(&one);
    tsl_tokens_fini(&all);
    return rc;
}

static int open_stream(struct job *j, struct tsl_err *err)
{
    const struct tsl_encodejob_opts *o = j->o;
    struct tsl_tokstream_head h = { .vocab_size = tsl_tokenizer_size(j->t),
                                    .sentences = o->sentences,
                                    .specials = tsl_tokenizer_specials(j->t) };
    int rc = tsl_vocabid_of(j->t, h.vocab_id, err);
    if (rc < 0)
        return rc;
    snprintf(h.tokenizer, sizeof h.tokenizer, "%s", tsl_tokenizer_engine(j->t));
    snprintf(h.options, sizeof h.options, "%s", o->options ? o->options : "");
    snprintf(h.made_by, sizeof h.made_by, "%s", o->made_by ? o->made_by : "");
    int level = o->blocks ? (o->level ? o->level : 3) : 0;
    return tsl_tokstream_writer_create(&j->stream, &j->sink, &h, level, err);
}

static int set_up(struct job *j, struct tsl_pool **pool, struct tsl_err *err)
{
    const struct tsl_encodejob_opts *o = j->o;
    const char *const fields[] = { o->field, o->field2 };
    int rc = 0;
    for (int k = 0; k < 2 && fields[k] && rc == 0; k++) {
        j->path_storage[k] = tsl_mem_alloc(strlen(fields[k]) + 1, 1, "a field", err);
        rc = j->path_storage[k]
                 ? tsl_jsonl_path_init(&j->paths[k], fields[k], j->path_storage[k], err)
                 : TSL_ENOMEM;
    }
    if (rc == 0 && (o->format == TSL_ENCODE_IDS || json_out(j)))
        rc = make_decimals(j, err);
    if (rc == 0 && json_out(j))
        rc = make_spelled(j, err);
    j->workers = rc == 0
                     ? tsl_mem_alloc(j->plan.nthreads, sizeof *j->workers, "threads", err)
                     : NULL;
    if (rc == 0 && !j->workers)
        rc = TSL_ENOMEM;
    for (unsigned i = 0; i < j->plan.nthreads && rc == 0; i++)
        rc = worker_init(j, &j->workers[i], j->plan.coder_bytes, err);
    if (rc == 0)
        rc = find_template(j, err);
    struct tsl_inputs_opts io = { .paths = o->paths,
                                  .npaths = o->npaths,
                                  .frame = o->frame,
                                  .batch_bytes = j->plan.batch_bytes,
                                  .window_max =
                                      o->memory / 8 > 8 << 20 ? o->memory / 8 : 8 << 20,
                                  .by_file = true,
                                  .progress = o->progress };
    if (rc == 0)
        rc = tsl_inputs_create(&j->in, &io, err);
    if (rc == 0 && o->codec != TSL_CODEC_NONE && j->plan.nthreads > 1)
        rc = tsl_pool_create(pool, j->plan.nthreads, err);
    return rc;
}

static int make_items(struct job *j, void **items, struct tsl_err *err)
{
    for (unsigned i = 0; i < j->plan.nbatches; i++) {
        struct item *it = items[i] = tsl_mem_alloc(1, sizeof *it, "a batch", err);
        if (!it)
            return TSL_ENOMEM;
        tsl_tokens_init(&it->tok, j->want);
        int rc = tsl_rowbatch_init(&it->b, j->plan.batch_bytes, CHUNK_ROWS, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void free_items(struct job *j, void **items)
{
    for (unsigned i = 0; items && i < j->plan.nbatches && items[i]; i++) {
        struct item *it = items[i];
        tsl_rowbatch_fini(&it->b);
        tsl_mem_free(it->out.p);
        tsl_tokens_fini(&it->tok);
        tsl_mem_free(it->sents);
        tsl_mem_free(it->docs);
        tsl_mem_free(it);
    }
    tsl_mem_free(items);
}

static void count_coder(const struct tsl_coder *c, struct tsl_encodejob_stats *st)
{
    if (!c)
        return;
    struct tsl_coder_counts n = tsl_coder_counts(c);
    st->unknown += n.unknown;
    st->invalid += n.invalid;
}

static void tear_down(struct job *j, struct tsl_pool *pool, void **items)
{
    struct longrow *l = &j->longrow;
    free_items(j, items);
    for (unsigned i = 0; j->workers && i < j->plan.nthreads; i++)
        worker_fini(&j->workers[i]);
    tsl_mem_free(j->workers);
    worker_fini(&l->w);
    tsl_mem_free(l->buf);
    tsl_tokens_fini(&l->all);
    tsl_mem_free(l->segments);
    tsl_mem_free(l->out.p);
    tsl_tokens_fini(&j->prefix);
    tsl_tokens_fini(&j->suffix);
    tsl_inputs_destroy(j->in);
    tsl_tokstream_writer_destroy(j->stream);
    tsl_pool_destroy(pool);
    tsl_mem_free(j->path_storage[0]);
    tsl_mem_free(j->path_storage[1]);
    tsl_mem_free(j->decimal);
    tsl_mem_free(j->spelled);
    tsl_mem_free(j->spelled_at);
}

/* What of each token the output needs beside its id. */
static unsigned want_of(const struct job *j)
{
    const struct tsl_encodejob_opts *o = j->o;
    if (json_out(j))
        return TSL_WANT_SPANS | TSL_WANT_MARKS |
               (tsl_tokenizer_says(j->t) ? TSL_WANT_TEXTS : 0);
    return o->format == TSL_ENCODE_STREAM || (o->pair && wraps_whole(j)) ? TSL_WANT_MARKS
                                                                         : 0;
}

/* Everything from the first batch to the output's name. */
static int run_batches(struct job *j, void **items, struct tsl_err *err)
{
    struct tsl_progress *p = j->o->progress;
    struct tsl_pipeline run = { .read = read_batch,
                                .work = work,
                                .write = write_batch,
                                .ctx = j,
                                .items = items,
                                .nitems = j->plan.nbatches,
                                .nthreads = j->plan.nthreads };
    int rc = j->o->format == TSL_ENCODE_STREAM ? open_stream(j, err) : 0;
    if (rc < 0)
        return rc;
    if (p)
        atomic_store(&p->phase, TSL_PHASE_READ);
    rc = tsl_pipeline_run(&run, err);
    if (rc == 0 && p)
        atomic_store(&p->phase, TSL_PHASE_FINISH);
    if (rc == 0 && j->stream)
        rc = tsl_tokstream_writer_finish(j->stream, err);
    if (rc == 0)
        rc = tsl_sink_done(&j->sink, err);
    return rc < 0 ? rc : tsl_sink_commit(&j->sink, err);
}

static void sum_up(const struct job *j, struct tsl_encodejob_stats *st)
{
    *st = (struct tsl_encodejob_stats){ .plan = j->plan,
                                        .rows = j->n.rows,
                                        .sentences = j->n.sentences,
                                        .tokens = j->n.tokens,
                                        .bytes = j->n.bytes,
                                        .longest = j->n.longest,
                                        .unknown = j->longrow.counts.unknown,
                                        .invalid = j->longrow.counts.invalid,
                                        .bytes_out = j->sink.bytes };
    memcpy(st->lengths, j->n.lengths, sizeof st->lengths);
    for (unsigned i = 0; i < j->plan.nthreads; i++)
        count_coder(j->workers[i].coder, st);
    count_coder(j->longrow.w.coder, st);
}

int tsl_encodejob_run(const struct tsl_encodejob_opts *o, const struct tsl_tokenizer *t,
                      struct tsl_encodejob_stats *st, struct tsl_err *err)
{
    struct job j = { .o = o, .t = t };
    struct tsl_pool *pool = NULL;
    void **items = NULL;
    double start = tsl_seconds();
    bool opened = false;
    if (o->format == TSL_ENCODE_U16 && tsl_tokenizer_size(t) > 65536)
        return tsl_err_set(err, TSL_EUSAGE,
                           "ids go up to %" PRIu32
                           ", more than 16 bits hold: --output=u32 has room",
                           tsl_tokenizer_size(t) - 1);
    int rc = tsl_encodejob_plan(o, &j.plan, err);
    if (rc < 0)
        return rc;
    j.want = want_of(&j);
    tsl_tokens_init(&j.longrow.all, j.want);
    rc = set_up(&j, &pool, err);
    if (rc == 0) {
        items = tsl_mem_alloc(j.plan.nbatches, sizeof *items, "batches", err);
        rc = items ? make_items(&j, items, err) : TSL_ENOMEM;
    }
    if (rc == 0) {
        struct tsl_sink_opts so = { o->codec, o->level, pool,
                                    pool ? j.plan.nthreads : 1 };
        rc = tsl_sink_open(&j.sink, o->output, false, &so, err);
        opened = rc == 0;
    }
    if (rc == 0)
        rc = run_batches(&j, items, err);
    if (rc == 0) {
        sum_up(&j, st);
        st->seconds = tsl_seconds() - start;
    }
    if (opened)
        tsl_sink_close(&j.sink);
    tear_down(&j, pool, items);
    return rc;
}
