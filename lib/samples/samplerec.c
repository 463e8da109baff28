#include "samples/samplerec.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/widen.h"

/* ---- sample to record ---- */

/* Adds a list, or with n a fixed number of values, and room for as many as there can be. */
static int add(struct tsl_samplerec *r, const char *name, enum tsl_dtype type, bool list,
               uint32_t n, struct tsl_err *err)
{
    size_t i = r->schema.ncolumns;
    uint32_t most = list ? r->tokens_cap : n ? n : 1;
    int rc = tsl_schema_add(&r->schema, name, type, list, !list && n ? 1 : 0, &n, err);
    if (rc < 0)
        return rc;
    r->buf[i] = tsl_mem_alloc((size_t)most + 8, tsl_dtype_bytes(type), "a sample", err);
    r->values[i] = (struct tsl_value){ r->buf[i], NULL, list ? 0 : n ? n : 1 };
    return r->buf[i] ? 0 : TSL_ENOMEM;
}

static int add_native(struct tsl_samplerec *r, struct tsl_err *err)
{
    const struct tsl_sample_shape *s = &r->shape;
    enum tsl_dtype id = s->wide ? TSL_U32 : TSL_U16;
    int rc = add(r, "key", TSL_U64, false, 0, err);
    if (rc == 0)
        rc = add(r, "input_ids", id, true, 0, err);
    if (rc == 0 && s->starts)
        rc = add(r, "starts", TSL_BIT, true, 0, err);
    if (rc == 0)
        rc = add(r, "first", TSL_U32, false, 0, err);
    if (rc == 0 && s->labels)
        rc = add(r, "label", TSL_U8, false, 0, err);
    if (rc == 0 && s->ends)
        rc = add(r, "ends", TSL_U32, true, 0, err);
    if (rc == 0 && s->positions)
        rc = add(r, "positions", TSL_U32, true, 0, err);
    if (rc == 0 && s->kinds)
        rc = add(r, "kind", TSL_U8, false, 0, err);
    if (rc == 0 && s->kinds)
        rc = add(r, "prefix", TSL_U32, false, 0, err);
    if (rc == 0 && s->outs)
        rc = add(r, "outs", id, true, 0, err);
    if (rc == 0 && s->masked)
        rc = add(r, "places", TSL_U16, true, 0, err);
    if (rc == 0 && s->masked)
        rc = add(r, "targets", id, true, 0, err);
    return rc;
}

static int add_plain(struct tsl_samplerec *r, struct tsl_err *err)
{
    const struct tsl_sample_shape *s = &r->shape;
    int rc = add(r, "input_ids", TSL_U32, true, 0, err);
    if (rc == 0 && !s->outs)
        rc = add(r, "segment_ids", TSL_U8, true, 0, err);
    if (rc == 0 && s->outs)
        rc = add(r, "targets", TSL_U32, true, 0, err);
    if (rc == 0 && s->ends)
        rc = add(r, "ends", TSL_U32, true, 0, err);
    if (rc == 0 && s->positions)
        rc = add(r, "positions", TSL_U32, true, 0, err);
    if (rc == 0 && s->kinds)
        rc = add(r, "kind", TSL_U8, false, 0, err);
    if (rc == 0 && s->kinds)
        rc = add(r, "prefix", TSL_U32, false, 0, err);
    if (rc == 0 && s->masked)
        rc = add(r, "masked_lm_positions", TSL_U32, true, 0, err);
    if (rc == 0 && s->masked)
        rc = add(r, "masked_lm_ids", TSL_U32, true, 0, err);
    if (rc == 0 && s->labels)
        rc = add(r, "next_sentence_labels", TSL_U8, false, 0, err);
    if (rc == 0 && s->starts)
        rc = add(r, "token_boundary", TSL_U8, true, 0, err);
    return rc;
}

static int add_bert(struct tsl_samplerec *r, struct tsl_err *err)
{
    const struct tsl_sample_shape *s = &r->shape;
    int rc = add(r, "input_ids", TSL_U32, false, s->tokens_max, err);
    if (rc == 0)
        rc = add(r, "input_mask", TSL_U8, false, s->tokens_max, err);
    if (rc == 0)
        rc = add(r, "segment_ids", TSL_U8, false, s->tokens_max, err);
    if (rc == 0)
        rc = add(r, "masked_lm_positions", TSL_U32, false, s->masks_max, err);
    if (rc == 0)
        rc = add(r, "masked_lm_ids", TSL_U32, false, s->masks_max, err);
    if (rc == 0)
        rc = add(r, "masked_lm_weights", TSL_F32, false, s->masks_max, err);
    if (rc == 0)
        rc = add(r, "next_sentence_labels", TSL_U8, false, 1, err);
    if (rc == 0 && s->starts)
        rc = add(r, "token_boundary", TSL_U8, false, s->tokens_max, err);
    return rc;
}

static int add_hf(struct tsl_samplerec *r, struct tsl_err *err)
{
    const struct tsl_sample_shape *s = &r->shape;
    int rc = add(r, "input_ids", TSL_I32, false, s->tokens_max, err);
    if (rc == 0)
        rc = add(r, "attention_mask", TSL_U8, false, s->tokens_max, err);
    if (rc == 0)
        rc = add(r, "token_type_ids", TSL_U8, false, s->tokens_max, err);
    if (rc == 0 && s->masked)
        rc = add(r, "labels", TSL_I32, false, s->tokens_max, err);
    if (rc == 0 && s->labels)
        rc = add(r, "next_sentence_label", TSL_U8, false, 0, err);
    return rc;
}

int tsl_samplerec_init(struct tsl_samplerec *r, const struct tsl_sample_shape *shape,
                       uint32_t tokens_cap, struct tsl_err *err)
{
    int rc = 0;
    *r = (struct tsl_samplerec){ .shape = *shape, .tokens_cap = tokens_cap };
    if (shape->layout == TSL_LAYOUT_BERT && (!shape->masked || !shape->masks_max))
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "the bert layout is one of masked samples: give an epoch, or "
                         "samples made with --static");
    else if (shape->layout == TSL_LAYOUT_NATIVE)
        rc = add_native(r, err);
    else if (shape->layout == TSL_LAYOUT_PLAIN)
        rc = add_plain(r, err);
    else
        rc = shape->layout == TSL_LAYOUT_BERT ? add_bert(r, err) : add_hf(r, err);
    if (rc < 0)
        tsl_samplerec_fini(r);
    return rc;
}

void tsl_samplerec_fini(struct tsl_samplerec *r)
{
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++)
        tsl_mem_free(r->buf[i]);
    *r = (struct tsl_samplerec){ .tokens_cap = 0 };
}

static void put_list(struct tsl_samplerec *r, size_t c, const uint32_t *v, uint32_t n)
{
    if (r->schema.columns[c].type == TSL_U16)
        tsl_narrow(r->buf[c], v, n);
    else
        memcpy(r->buf[c], v, 4 * (size_t)n);
    r->values[c].n = n;
}

static void put_bytes(struct tsl_samplerec *r, size_t c, const uint8_t *v, uint32_t n)
{
    memcpy(r->buf[c], v, n);
    r->values[c].n = n;
}

static void put_positions(struct tsl_samplerec *r, size_t c, const struct tsl_sample *s)
{
    uint32_t *to = (uint32_t *)(void *)r->buf[c];
    for (uint32_t i = 0; i < s->n; i++)
        to[i] = s->has_positions ? s->positions[i] : i;
    r->values[c].n = s->n;
}

static void fill_native(struct tsl_samplerec *r, const struct tsl_sample *s)
{
    size_t c = 0;
    tsl_store64(r->buf[c++], s->address);
    put_list(r, c++, s->ids, s->n);
    if (r->shape.starts)
        put_bytes(r, c++, s->starts, s->n);
    tsl_store32(r->buf[c++], s->first);
    if (r->shape.labels)
        *r->buf[c++] = s->label;
    if (r->shape.ends) {
        put_list(r, c, s->ends, s->nends);
        if (s->nends == 0) { /* one piece */
            tsl_store32(r->buf[c], s->n);
            r->values[c].n = 1;
        }
        c++;
    }
    if (r->shape.positions)
        put_positions(r, c++, s);
    if (r->shape.kinds) {
        *r->buf[c++] = s->kind;
        tsl_store32(r->buf[c++], s->prefix);
    }
    if (r->shape.outs)
        put_list(r, c++, s->outs, s->nouts);
    if (r->shape.masked) {
        put_list(r, c++, s->places, s->nmasked);
        put_list(r, c++, s->targets, s->nmasked);
    }
}

/* 0 for the first segment, 1 for the second. */
static void put_segments(uint8_t *to, const struct tsl_sample *s)
{
    memset(to, 0, s->first);
    memset(to + s->first, 1, s->n - s->first);
}

static void fill_plain(struct tsl_samplerec *r, const struct tsl_sample *s)
{
    size_t c = 0;
    put_list(r, c++, s->ids, s->n);
    if (!r->shape.outs) {
        put_segments(r->buf[c], s);
        r->values[c++].n = s->n;
    } else {
        put_list(r, c++, s->outs, s->nouts);
    }
    if (r->shape.ends)
        put_list(r, c++, s->ends, s->nends);
    if (r->shape.positions)
        put_positions(r, c++, s);
    if (r->shape.kinds) {
        *r->buf[c++] = s->kind;
        tsl_store32(r->buf[c++], s->prefix);
    }
    if (r->shape.masked) {
        put_list(r, c++, s->places, s->nmasked);
        put_list(r, c++, s->targets, s->nmasked);
    }
    if (r->shape.labels)
        *r->buf[c++] = s->label;
    if (r->shape.starts)
        put_bytes(r, c, s->starts, s->n);
}

/* What all padded layouts begin with: ids, which of them are real, segments. */
static void fill_tokens(struct tsl_samplerec *r, const struct tsl_sample *s, uint32_t pad)
{
    uint32_t max = r->shape.tokens_max, *ids = (uint32_t *)(void *)r->buf[0];
    memcpy(ids, s->ids, 4 * (size_t)s->n);
    for (uint32_t i = s->n; i < max; i++)
        ids[i] = pad;
    memset(r->buf[1], 1, s->n);
    memset(r->buf[1] + s->n, 0, max - s->n);
    put_segments(r->buf[2], s);
    memset(r->buf[2] + s->n, 0, max - s->n);
}

static void fill_bert(struct tsl_samplerec *r, const struct tsl_sample *s)
{
    uint32_t max = r->shape.masks_max, n = s->nmasked;
    float *weights = (float *)(void *)r->buf[5];
    fill_tokens(r, s, 0);
    memcpy(r->buf[3], s->places, 4 * (size_t)n);
    memset(r->buf[3] + 4 * (size_t)n, 0, 4 * (size_t)(max - n));
    memcpy(r->buf[4], s->targets, 4 * (size_t)n);
    memset(r->buf[4] + 4 * (size_t)n, 0, 4 * (size_t)(max - n));
    for (uint32_t i = 0; i < max; i++)
        weights[i] = i < n ? 1 : 0;
    *r->buf[6] = s->label == TSL_SAMPLE_NO_LABEL ? 0 : s->label;
    if (r->shape.starts) {
        memcpy(r->buf[7], s->starts, s->n);
        memset(r->buf[7] + s->n, 0, r->shape.tokens_max - s->n);
    }
}

static void fill_hf(struct tsl_samplerec *r, const struct tsl_sample *s)
{
    size_t c = 3;
    fill_tokens(r, s, r->shape.pad);
    if (r->shape.masked) {
        int32_t *labels = (int32_t *)(void *)r->buf[c++];
        for (uint32_t i = 0; i < r->shape.tokens_max; i++)
            labels[i] = -100;
        for (uint32_t i = 0; i < s->nmasked; i++)
            labels[s->places[i]] = (int32_t)s->targets[i];
    }
    if (r->shape.labels)
        *r->buf[c] = s->label;
}

int tsl_samplerec_fill(struct tsl_samplerec *r, const struct tsl_sample *s,
                       struct tsl_record *rec, struct tsl_err *err)
{
    bool padded = r->shape.layout == TSL_LAYOUT_BERT || r->shape.layout == TSL_LAYOUT_HF;
    uint32_t max = padded ? r->shape.tokens_max : r->tokens_cap;
    if (s->n > max)
        return tsl_err_set(err, TSL_EUSAGE,
                           "sample %" PRIu64 " has %" PRIu32
                           " tokens, more than %" PRIu32,
                           s->address, s->n, max);
    if (r->shape.outs && s->nouts > r->tokens_cap)
        return tsl_err_set(err, TSL_EUSAGE,
                           "sample %" PRIu64 " has %" PRIu32
                           " targets, more than %" PRIu32,
                           s->address, s->nouts, r->tokens_cap);
    if (r->shape.layout == TSL_LAYOUT_BERT && s->nmasked > r->shape.masks_max)
        return tsl_err_set(err, TSL_EUSAGE,
                           "sample %" PRIu64 " has %" PRIu32
                           " masked places, more than %" PRIu32,
                           s->address, s->nmasked, r->shape.masks_max);
    if (s->nmasked > max)
        return tsl_err_set(err, TSL_EUSAGE,
                           "sample %" PRIu64 " has %" PRIu32
                           " masked places, more than %" PRIu32,
                           s->address, s->nmasked, max);
    if (r->shape.layout == TSL_LAYOUT_HF && r->shape.masked && s->nmasked &&
        s->places[s->nmasked - 1] >= s->n)
        return tsl_err_set(err, TSL_EUSAGE,
                           "sample %" PRIu64
                           ": tokens that were taken out have no labels in the hf layout",
                           s->address);
    assert(s->first <= s->n);
    switch (r->shape.layout) {
    case TSL_LAYOUT_NATIVE: fill_native(r, s); break;
    case TSL_LAYOUT_PLAIN: fill_plain(r, s); break;
    case TSL_LAYOUT_BERT: fill_bert(r, s); break;
    case TSL_LAYOUT_HF: fill_hf(r, s); break;
    }
    rec->number = s->address;
    rec->values = r->values;
    return 0;
}

/* ---- record to sample ---- */

static int need(const struct tsl_schema *s, const char *column, enum tsl_dtype type,
                enum tsl_dtype other, bool list, int *c)
{
    *c = tsl_schema_find(s, column);
    if (*c < 0)
        return 0;
    const struct tsl_column *col = &s->columns[*c];
    return (col->type == type || col->type == other) && (col->count == 0) == list ? 1
                                                                                  : -1;
}

int tsl_samplecols_find(struct tsl_samplecols *c, const struct tsl_schema *s,
                        const char *name, struct tsl_err *err)
{
    int key = need(s, "key", TSL_U64, TSL_U64, false, &c->key);
    int ids = need(s, "input_ids", TSL_U16, TSL_U32, true, &c->ids);
    int starts = need(s, "starts", TSL_BIT, TSL_BIT, true, &c->starts);
    int first = need(s, "first", TSL_U32, TSL_U32, false, &c->first);
    int label = need(s, "label", TSL_U8, TSL_U8, false, &c->label);
    int places = need(s, "places", TSL_U16, TSL_U16, true, &c->places);
    int targets = need(s, "targets", TSL_U16, TSL_U32, true, &c->targets);
    int ends = need(s, "ends", TSL_U32, TSL_U32, true, &c->ends);
    int positions = need(s, "positions", TSL_U32, TSL_U32, true, &c->positions);
    int kind = need(s, "kind", TSL_U8, TSL_U8, false, &c->kind);
    int prefix = need(s, "prefix", TSL_U32, TSL_U32, false, &c->prefix);
    int outs = need(s, "outs", TSL_U16, TSL_U32, true, &c->outs);
    if (key != 1 || ids != 1 || first != 1 || starts < 0 || label < 0 || places < 0 ||
        targets < 0 || (places == 1) != (targets == 1) || ends < 0 || positions < 0 ||
        kind < 0 || prefix < 0 || (kind == 1) != (prefix == 1) || outs < 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: no samples as cmask writes them (columns key, input_ids, "
                           "first ...)",
                           tsl_quote(name).s);
    c->id_type = s->columns[c->ids].type;
    if ((targets == 1 && s->columns[c->targets].type != c->id_type) ||
        (outs == 1 && s->columns[c->outs].type != c->id_type))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: input_ids, targets and outs differ in type",
                           tsl_quote(name).s);
    return 0;
}

static void widen(uint32_t *to, enum tsl_dtype type, const struct tsl_value *v)
{
    if (type == TSL_U32)
        memcpy(to, v->data, 4 * (size_t)v->n);
    else
        tsl_widen(to, v->data, v->n);
}

static int bad(const struct tsl_record *rec, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "record %" PRIu64 ": %s", rec->number, what);
}

/* Pieces, positions and kind, as far as there are such columns. */
static int read_pieces(const struct tsl_samplecols *c, const struct tsl_record *rec,
                       struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = rec->values;
    s->nends = s->nouts = 0;
    s->has_positions = c->positions >= 0;
    s->kind = c->kind < 0 ? TSL_SAMPLE_BOTH_WAYS : *(const uint8_t *)v[c->kind].data;
    s->prefix = c->kind < 0 ? 0 : tsl_load32(v[c->prefix].data);
    if (s->kind > TSL_SAMPLE_PREFIX || s->prefix > s->n)
        return bad(rec, "its kind or prefix is none that there is", err);
    if (c->ends >= 0) {
        s->nends = v[c->ends].n;
        if (s->nends > s->n)
            return bad(rec, "it has more pieces than tokens", err);
        widen(s->ends, TSL_U32, &v[c->ends]);
        for (uint32_t i = 0, before = 0; i < s->nends; before = s->ends[i++])
            if (s->ends[i] < before || s->ends[i] > s->n)
                return bad(rec, "its pieces do not lie one behind the other", err);
    }
    if (c->positions >= 0) {
        if (v[c->positions].n != s->n)
            return bad(rec, "it has not as many positions as tokens", err);
        widen(s->positions, TSL_U32, &v[c->positions]);
        for (uint32_t i = 0; i < s->n; i++)
            if (s->positions[i] >= TSL_SAMPLE_TOKENS_MAX)
                return bad(rec, "a position is larger than a sample can be", err);
    }
    if (c->outs >= 0) {
        s->nouts = v[c->outs].n;
        widen(s->outs, c->id_type, &v[c->outs]);
    }
    return 0;
}

int tsl_samplecols_read(const struct tsl_samplecols *c, const struct tsl_record *rec,
                        struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = rec->values;
    uint32_t n = v[c->ids].n, most = n;
    if (n > TSL_SAMPLE_TOKENS_MAX ||
        (c->outs >= 0 && v[c->outs].n > TSL_SAMPLE_TOKENS_MAX))
        return bad(rec, "it has more tokens than a sample can have", err);
    if (c->outs >= 0 && v[c->outs].n > most)
        most = v[c->outs].n;
    if (c->places >= 0 && v[c->places].n > most &&
        v[c->places].n <= TSL_SAMPLE_TOKENS_MAX)
        most = v[c->places].n;
    if (most + TSL_SAMPLE_SLACK > s->cap) {
        tsl_sample_fini(s);
        int rc = tsl_sample_init(s, most + TSL_SAMPLE_SLACK, err);
        if (rc < 0)
            return rc;
    }
    s->address = tsl_load64(v[c->key].data);
    s->n = n;
    s->first = tsl_load32(v[c->first].data);
    s->label = c->label < 0 ? TSL_SAMPLE_NO_LABEL : *(const uint8_t *)v[c->label].data;
    s->nmasked = 0;
    widen(s->ids, c->id_type, &v[c->ids]);
    if (s->first > n)
        return bad(rec, "its first segment is longer than the sample", err);
    if (c->starts < 0)
        memset(s->starts, 1, n);
    else if (v[c->starts].n != n)
        return bad(rec, "it has not as many word starts as tokens", err);
    else
        memcpy(s->starts, v[c->starts].data, n);
    int rc = read_pieces(c, rec, s, err);
    if (rc < 0 || c->places < 0)
        return rc;
    /* of tokens taken out (mae) the places are positions */
    bool taken_out = c->positions >= 0 && c->kind < 0;
    uint32_t end = taken_out ? TSL_SAMPLE_TOKENS_MAX : n;
    if (v[c->places].n != v[c->targets].n || v[c->places].n > end)
        return bad(rec, "its places and targets do not fit", err);
    s->nmasked = v[c->places].n;
    widen(s->places, TSL_U16, &v[c->places]);
    widen(s->targets, c->id_type, &v[c->targets]);
    for (uint32_t i = 0; i < s->nmasked; i++)
        if (s->places[i] >= end || (i && s->places[i] <= s->places[i - 1] && taken_out))
            return bad(rec, "a masked place lies behind its end", err);
    return 0;
}
