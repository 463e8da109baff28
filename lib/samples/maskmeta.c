#include "samples/maskmeta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"

/* FORMAT.md allows that much. */
enum { TSL_MASKMETA_MAX = 4 << 20 };

static const char *const units[] = { "tokens", "words", "ngrams", "spans" };
static const char *const decides[] = { "token", "word", "run" };

static void put_id(struct tsl_json *j, const char *key, int64_t id)
{
    if (id >= 0)
        tsl_json_u64(j, key, (uint64_t)id);
}

/* The reserved ids, as runs [first, last]. */
static void put_reserved(struct tsl_json *j, const struct tsl_special_ids *s)
{
    tsl_json_open(j, "reserved", '[');
    for (uint32_t i = 0; s->reserved && i < s->vocab_size; i++) {
        if (!(s->reserved[i / 8] >> i % 8 & 1))
            continue;
        uint32_t first = i;
        while (i + 1 < s->vocab_size && s->reserved[(i + 1) / 8] >> (i + 1) % 8 & 1)
            i++;
        tsl_json_open(j, NULL, '[');
        tsl_json_u64(j, NULL, first);
        tsl_json_u64(j, NULL, i);
        tsl_json_close(j, ']');
    }
    tsl_json_close(j, ']');
}

/* Each word as [its tokens, its ids ..., ids of similar ones ...]. */
static void put_synonyms(struct tsl_json *j, const struct tsl_mlm_synonyms *y)
{
    tsl_json_open(j, "synonyms", '[');
    for (uint32_t w = 0; w < y->nwords; w++) {
        tsl_json_open(j, NULL, '[');
        tsl_json_u64(j, NULL, y->len[w]);
        for (uint32_t i = y->at[w]; i < y->at[w + 1]; i++)
            tsl_json_u64(j, NULL, y->ids[i]);
        tsl_json_close(j, ']');
    }
    tsl_json_close(j, ']');
}

static void put_mask(struct tsl_json *j, const struct tsl_mlm_opts *o)
{
    tsl_json_open(j, "mask", '{');
    tsl_json_exact(j, "rate", o->rate);
    tsl_json_u64(j, "masks_max", o->masks_max);
    tsl_json_bool(j, "dither", o->dither);
    tsl_json_str(j, "unit", units[o->unit]);
    tsl_json_open(j, "weights", '[');
    for (unsigned i = 0; i < o->nweights; i++)
        tsl_json_exact(j, NULL, o->weights[i]);
    tsl_json_close(j, ']');
    tsl_json_exact(j, "mask_share", o->mask_share);
    tsl_json_exact(j, "random_share", o->random_share);
    tsl_json_str(j, "decide", decides[o->decide]);
    tsl_json_bool(j, "across_specials", o->across_specials);
    tsl_json_bool(j, "draw_specials", o->draw_specials);
    if (o->independent)
        tsl_json_bool(j, "independent", true);
    if (o->synonyms)
        put_synonyms(j, o->synonyms);
    tsl_json_close(j, '}');
}

static void put_span(struct tsl_json *j, const struct tsl_span_opts *o)
{
    tsl_json_open(j, "span", '{');
    tsl_json_open(j, "denoisers", '[');
    for (unsigned i = 0; i < o->ndenoisers; i++) {
        const struct tsl_span_denoiser *d = &o->denoisers[i];
        tsl_json_open(j, NULL, '{');
        tsl_json_bool(j, "suffix", d->kind == TSL_SPAN_SUFFIX);
        tsl_json_exact(j, "density", d->density);
        tsl_json_exact(j, "mean_span", d->mean_span);
        tsl_json_exact(j, "weight", d->weight);
        put_id(j, "mode", d->mode);
        tsl_json_close(j, '}');
    }
    tsl_json_close(j, ']');
    tsl_json_u64(j, "sentinel", o->sentinel);
    tsl_json_u64(j, "sentinels", o->nsentinels);
    tsl_json_bool(j, "downwards", o->sentinel_step < 0);
    put_id(j, "eos", o->eos);
    tsl_json_bool(j, "roll", o->roll);
    tsl_json_close(j, '}');
}

static void put_sight(struct tsl_json *j, const struct tsl_unilm_opts *o)
{
    tsl_json_open(j, "sight", '{');
    tsl_json_open(j, "weights", '[');
    for (int i = 0; i < 4; i++)
        tsl_json_exact(j, NULL, o->weights[i]);
    tsl_json_close(j, ']');
    tsl_json_u64(j, "low", o->low);
    tsl_json_u64(j, "high", o->high);
    put_id(j, "separator", o->separator);
    tsl_json_u64(j, "tokens_max", o->tokens_max);
    tsl_json_close(j, '}');
}

static bool masks(enum tsl_denoise_kind k)
{
    return k == TSL_DENOISE_MLM || k == TSL_DENOISE_UNILM || k == TSL_DENOISE_PLM ||
           k == TSL_DENOISE_MAE;
}

static bool has_sight(enum tsl_denoise_kind k)
{
    return k == TSL_DENOISE_PREFIX || k == TSL_DENOISE_UNILM;
}

int tsl_maskmeta_write(const struct tsl_maskmeta *m, char **text, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    const struct tsl_special_ids *s = &m->special;
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "objective", m->objective);
    tsl_json_str(&j, "made_by", m->made_by ? m->made_by : "");
    tsl_json_str(&j, "vocab_id", m->vocab_id ? m->vocab_id : "");
    tsl_json_u64(&j, "vocab_size", s->vocab_size);
    char seed[24]; /* a text: JSON's readers have no 64 bits without a sign */
    snprintf(seed, sizeof seed, "%" PRIu64, m->seed);
    tsl_json_str(&j, "seed", seed);
    tsl_json_u64(&j, "epoch", m->epoch);
    tsl_json_u64(&j, "copies", m->copies);
    tsl_json_bool(&j, "masked", m->masked);
    tsl_json_u64(&j, "tokens_max", m->tokens_max);
    tsl_json_open(&j, "specials", '{');
    put_id(&j, "pad", s->pad);
    put_id(&j, "unk", s->unk);
    put_id(&j, "cls", s->cls);
    put_id(&j, "sep", s->sep);
    put_id(&j, "mask", s->mask);
    put_id(&j, "bos", s->bos);
    put_id(&j, "eos", s->eos);
    tsl_json_close(&j, '}');
    put_reserved(&j, s);
    if (m->making)
        tsl_json_raw(&j, "samples",
                     (struct tsl_slice){ (const uint8_t *)m->making, strlen(m->making) });
    tsl_json_str(&j, "denoise", tsl_denoise_name(m->denoise.kind));
    if (masks(m->denoise.kind))
        put_mask(&j, &m->denoise.mlm);
    if (m->denoise.kind == TSL_DENOISE_SPAN)
        put_span(&j, &m->denoise.span);
    if (has_sight(m->denoise.kind))
        put_sight(&j, &m->denoise.unilm);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc < 0) {
        tsl_json_fini(&j);
        return rc;
    }
    if (j.len > TSL_MASKMETA_MAX) {
        tsl_json_fini(&j);
        return tsl_err_set(
            err, TSL_EUSAGE,
            "the synonyms do not fit into the header of samples, %d bytes: "
            "fewer of them would, and lines of JSON need no header",
            TSL_MASKMETA_MAX);
    }
    *text = j.text;
    return 0;
}

/* ---- reading ---- */

static int64_t id_of(const struct tsl_jsonval *v, const char *key)
{
    int64_t id = -1;
    tsl_jsonread_int(tsl_jsonread_get(v, key), &id);
    return id < 0 || id > UINT32_MAX ? -1 : id;
}

static bool count_of(const struct tsl_jsonval *v, const char *key, uint64_t max,
                     uint64_t *out)
{
    int64_t n;
    if (!tsl_jsonread_int(tsl_jsonread_get(v, key), &n) || n < 0 || (uint64_t)n > max)
        return false;
    *out = (uint64_t)n;
    return true;
}

static bool seed_of(const struct tsl_jsonval *v, uint64_t *seed)
{
    struct tsl_slice s;
    char text[24] = "";
    if (!tsl_jsonread_str(tsl_jsonread_get(v, "seed"), &s) || s.len >= sizeof text)
        return false;
    memcpy(text, s.data, s.len);
    return tsl_parse_u64(text, seed, NULL);
}

static bool word_of(const struct tsl_jsonval *v, const char *key,
                    const char *const *words, int n, int *out)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(tsl_jsonread_get(v, key), &s))
        return false;
    for (*out = 0; *out < n; ++*out)
        if (s.len == strlen(words[*out]) && memcmp(s.data, words[*out], s.len) == 0)
            return true;
    return false;
}

static bool read_mask(struct tsl_mlm_opts *o, const struct tsl_jsonval *v)
{
    const struct tsl_jsonval *weights = tsl_jsonread_get(v, "weights");
    uint64_t masks_max;
    int unit, decide;
    *o = tsl_mlm_defaults();
    if (!tsl_jsonread_num(tsl_jsonread_get(v, "rate"), &o->rate) ||
        !(o->rate >= 0 && o->rate <= 1) ||
        !count_of(v, "masks_max", UINT32_MAX, &masks_max) ||
        !tsl_jsonread_bool(tsl_jsonread_get(v, "dither"), &o->dither) ||
        !word_of(v, "unit", units, 4, &unit) ||
        !word_of(v, "decide", decides, 3, &decide) ||
        !tsl_jsonread_num(tsl_jsonread_get(v, "mask_share"), &o->mask_share) ||
        !tsl_jsonread_num(tsl_jsonread_get(v, "random_share"), &o->random_share) ||
        !tsl_jsonread_bool(tsl_jsonread_get(v, "across_specials"), &o->across_specials) ||
        !tsl_jsonread_bool(tsl_jsonread_get(v, "draw_specials"), &o->draw_specials) ||
        tsl_jsonread_size(weights) > TSL_MLM_WEIGHTS_MAX)
        return false;
    o->masks_max = (uint32_t)masks_max;
    (void)tsl_jsonread_bool(tsl_jsonread_get(v, "independent"), &o->independent);
    o->unit = (enum tsl_mlm_unit)unit;
    o->decide = (enum tsl_mlm_decide)decide;
    o->nweights = (unsigned)tsl_jsonread_size(weights);
    for (unsigned i = 0; i < o->nweights; i++)
        if (!tsl_jsonread_num(tsl_jsonread_at(weights, i), &o->weights[i]))
            return false;
    return true;
}

static bool read_span(struct tsl_span_opts *o, const struct tsl_jsonval *v)
{
    const struct tsl_jsonval *all = tsl_jsonread_get(v, "denoisers");
    uint64_t sentinel, sentinels;
    bool down, suffix;
    *o = (struct tsl_span_opts){ .eos = id_of(v, "eos") };
    if (tsl_jsonread_size(all) > TSL_SPAN_DENOISERS_MAX ||
        !count_of(v, "sentinel", UINT32_MAX, &sentinel) ||
        !count_of(v, "sentinels", UINT32_MAX, &sentinels) ||
        !tsl_jsonread_bool(tsl_jsonread_get(v, "downwards"), &down) ||
        !tsl_jsonread_bool(tsl_jsonread_get(v, "roll"), &o->roll))
        return false;
    o->sentinel = (uint32_t)sentinel;
    o->nsentinels = (uint32_t)sentinels;
    o->sentinel_step = down ? -1 : 1;
    o->ndenoisers = (unsigned)tsl_jsonread_size(all);
    for (unsigned i = 0; i < o->ndenoisers; i++) {
        const struct tsl_jsonval *one = tsl_jsonread_at(all, i);
        struct tsl_span_denoiser *d = &o->denoisers[i];
        if (!tsl_jsonread_bool(tsl_jsonread_get(one, "suffix"), &suffix) ||
            !tsl_jsonread_num(tsl_jsonread_get(one, "density"), &d->density) ||
            !tsl_jsonread_num(tsl_jsonread_get(one, "mean_span"), &d->mean_span) ||
            !tsl_jsonread_num(tsl_jsonread_get(one, "weight"), &d->weight))
            return false;
        d->kind = suffix ? TSL_SPAN_SUFFIX : TSL_SPAN_NOISE;
        d->mode = id_of(one, "mode");
    }
    return true;
}

static bool read_sight(struct tsl_unilm_opts *o, const struct tsl_jsonval *v)
{
    const struct tsl_jsonval *weights = tsl_jsonread_get(v, "weights");
    uint64_t low, high, tokens_max;
    *o = (struct tsl_unilm_opts){ .separator = id_of(v, "separator") };
    if (!count_of(v, "low", UINT32_MAX, &low) ||
        !count_of(v, "high", UINT32_MAX, &high) ||
        !count_of(v, "tokens_max", UINT32_MAX, &tokens_max))
        return false;
    o->low = (uint32_t)low;
    o->high = (uint32_t)high;
    o->tokens_max = (uint32_t)tokens_max;
    for (size_t i = 0; i < 4; i++)
        if (!tsl_jsonread_num(tsl_jsonread_at(weights, i), &o->weights[i]))
            return false;
    return true;
}

static bool read_denoise(struct tsl_denoise_opts *o, const struct tsl_jsonval *root)
{
    static const char *const names[] = {
#define X(id, name) name,
        TSL_DENOISES(X)
#undef X
    };
    int kind;
    if (!word_of(root, "denoise", names, TSL_NDENOISES, &kind))
        return false;
    o->kind = (enum tsl_denoise_kind)kind;
    return (!masks(o->kind) || read_mask(&o->mlm, tsl_jsonread_get(root, "mask"))) &&
           (o->kind != TSL_DENOISE_SPAN ||
            read_span(&o->span, tsl_jsonread_get(root, "span"))) &&
           (!has_sight(o->kind) ||
            read_sight(&o->unilm, tsl_jsonread_get(root, "sight")));
}

/* TSL_EFORMAT without a message. */
static int read_reserved(struct tsl_maskmeta *m, const struct tsl_jsonval *v,
                         struct tsl_err *err)
{
    uint32_t n = m->special.vocab_size;
    m->reserved = tsl_mem_alloc((size_t)n / 8 + 1, 1, "reserved ids", err);
    if (!m->reserved)
        return TSL_ENOMEM;
    int64_t end = 0; /* runs rise, as they were written: else few bytes were long work */
    for (size_t i = 0; i < tsl_jsonread_size(v); i++) {
        int64_t from, to;
        if (!tsl_jsonread_int(tsl_jsonread_at(tsl_jsonread_at(v, i), 0), &from) ||
            !tsl_jsonread_int(tsl_jsonread_at(tsl_jsonread_at(v, i), 1), &to) ||
            from < end || to < from || to >= n)
            return TSL_EFORMAT;
        end = to + 1;
        for (; from <= to; from++)
            m->reserved[from / 8] |= (uint8_t)(1 << from % 8);
    }
    m->special.reserved = m->reserved;
    return 0;
}

static bool read_word(struct tsl_mlm_synonyms *y, uint32_t *at, uint32_t *len,
                      uint32_t *ids, const struct tsl_jsonval *v, uint32_t vocab_size)
{
    int64_t n, id;
    size_t count = tsl_jsonread_size(v);
    if (count < 2 || !tsl_jsonread_int(tsl_jsonread_at(v, 0), &n) || n < 1 ||
        n > (int64_t)count - 1 || (count - 1) % (size_t)n)
        return false;
    uint32_t to = at[y->nwords];
    for (size_t i = 1; i < count; i++) {
        if (!tsl_jsonread_int(tsl_jsonread_at(v, i), &id) || id < 0 || id >= vocab_size)
            return false;
        ids[to++] = (uint32_t)id;
    }
    len[y->nwords++] = (uint32_t)n;
    at[y->nwords] = to;
    return true;
}

/* TSL_EFORMAT without a message. */
static int read_synonyms(struct tsl_maskmeta *m, const struct tsl_jsonval *v,
                         struct tsl_err *err)
{
    size_t n = tsl_jsonread_size(v), nids = 0;
    if (!v)
        return 0;
    for (size_t i = 0; i < n; i++)
        nids += tsl_jsonread_size(tsl_jsonread_at(v, i));
    struct tsl_mlm_synonyms *y = tsl_mem_alloc(1, sizeof *y, "synonyms", err);
    if (!y)
        return TSL_ENOMEM;
    uint32_t *at = tsl_mem_alloc(n + 1, sizeof *at, "synonyms", err);
    uint32_t *len = at ? tsl_mem_alloc(n + 1, sizeof *len, "synonyms", err) : NULL;
    uint32_t *ids = len ? tsl_mem_alloc(nids + 1, sizeof *ids, "synonyms", err) : NULL;
    *y = (struct tsl_mlm_synonyms){ 0, at, len, ids };
    m->synonyms = y;
    m->denoise.mlm.synonyms = y;
    if (!ids)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!read_word(y, at, len, ids, tsl_jsonread_at(v, i), m->special.vocab_size))
            return TSL_EFORMAT;
    return 0;
}

/* Texts that say what the samples are: copies, empty where there are none. */
static int read_texts(struct tsl_maskmeta *m, const struct tsl_jsonval *root,
                      struct tsl_err *err)
{
    static const char *const keys[] = { "objective", "made_by", "vocab_id" };
    const char **const to[] = { &m->objective, &m->made_by, &m->vocab_id };
    for (int i = 0; i < 3; i++) {
        struct tsl_slice s = { .len = 0 };
        tsl_jsonread_str(tsl_jsonread_get(root, keys[i]), &s);
        m->text[i] = tsl_mem_alloc(s.len + 1, 1, "meta", err);
        if (!m->text[i])
            return TSL_ENOMEM;
        if (s.len)
            memcpy(m->text[i], s.data, s.len);
        *to[i] = m->text[i];
    }
    return 0;
}

/* The members as tsl_json writes them, so that they are the same however often they are read and
 * written.  What is no number, truth or text is left out. */
static int read_making(struct tsl_maskmeta *m, const struct tsl_jsonval *v,
                       struct tsl_err *err)
{
    struct tsl_jsonread_member at = { .at = NULL };
    struct tsl_json j = { 0 };
    struct tsl_slice s;
    char key[64];
    int64_t n;
    double x;
    bool b;
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return 0;
    tsl_json_open(&j, NULL, '{');
    while (tsl_jsonread_next(v, &at)) {
        if (at.key.len >= sizeof key)
            continue;
        memcpy(key, at.key.data, at.key.len);
        key[at.key.len] = 0;
        if (tsl_jsonread_int(at.value, &n) && n >= 0)
            tsl_json_u64(&j, key, (uint64_t)n);
        else if (tsl_jsonread_num(at.value, &x))
            tsl_json_exact(&j, key, x);
        else if (tsl_jsonread_bool(at.value, &b))
            tsl_json_bool(&j, key, b);
        else if (tsl_jsonread_str(at.value, &s))
            tsl_json_slice(&j, key, s);
    }
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc < 0) {
        tsl_json_fini(&j);
        return rc;
    }
    j.text[j.len - 1] = 0; /* the newline */
    m->text[3] = j.text;
    m->making = j.text;
    return 0;
}

int tsl_maskmeta_read(struct tsl_maskmeta *m, const char *text, const char *name,
                      struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    uint64_t vocab_size, tokens_max, copies = 0;
    char where[600];
    *m = (struct tsl_maskmeta){ .objective = "", .made_by = "", .vocab_id = "" };
    snprintf(where, sizeof where, "%s: its meta", tsl_quote(name).s);
    int rc = tsl_jsonread_parse(
        &doc, (struct tsl_slice){ (const uint8_t *)text, strlen(text) }, where, err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *root = tsl_jsonread_root(doc);
    const struct tsl_jsonval *ids = tsl_jsonread_get(root, "specials");
    bool good = seed_of(root, &m->seed) &&
                count_of(root, "epoch", INT64_MAX, &m->epoch) &&
                count_of(root, "copies", UINT32_MAX, &copies) &&
                count_of(root, "vocab_size", 1 << 26, &vocab_size) &&
                count_of(root, "tokens_max", TSL_SAMPLE_TOKENS_MAX, &tokens_max) &&
                tsl_jsonread_bool(tsl_jsonread_get(root, "masked"), &m->masked) &&
                read_denoise(&m->denoise, root);
    if (good) {
        m->copies = (uint32_t)copies;
        m->tokens_max = (uint32_t)tokens_max;
        m->special = (struct tsl_special_ids){ id_of(ids, "pad"),   id_of(ids, "unk"),
                                               id_of(ids, "cls"),   id_of(ids, "sep"),
                                               id_of(ids, "mask"),  id_of(ids, "bos"),
                                               id_of(ids, "eos"),   NULL,
                                               (uint32_t)vocab_size };
        rc = read_reserved(m, tsl_jsonread_get(root, "reserved"), err);
        if (rc == 0)
            rc = read_texts(m, root, err);
        if (rc == 0)
            rc = read_making(m, tsl_jsonread_get(root, "samples"), err);
        if (rc == 0)
            rc = read_synonyms(
                m, tsl_jsonread_get(tsl_jsonread_get(root, "mask"), "synonyms"), err);
    }
    tsl_jsonread_destroy(doc);
    if (rc == TSL_ENOMEM) {
        tsl_maskmeta_fini(m);
        return rc;
    }
    if (!good || rc < 0) {
        tsl_maskmeta_fini(m);
        return tsl_err_set(
            err, TSL_EFORMAT,
            "%s: its header does not say how samples are masked: cmask did "
            "not make them",
            tsl_quote(name).s);
    }
    tsl_denoise_key(&m->denoise, &m->special, m->seed);
    return 0;
}

void tsl_maskmeta_fini(struct tsl_maskmeta *m)
{
    tsl_mem_free(m->reserved);
    m->reserved = NULL;
    if (m->synonyms) {
        tsl_mem_free((void *)(uintptr_t)m->synonyms->at);
        tsl_mem_free((void *)(uintptr_t)m->synonyms->len);
        tsl_mem_free((void *)(uintptr_t)m->synonyms->ids);
    }
    tsl_mem_free(m->synonyms);
    m->synonyms = NULL;
    m->denoise.mlm.synonyms = NULL;
    for (int i = 0; i < 4; i++) {
        tsl_mem_free(m->text[i]);
        m->text[i] = NULL;
    }
    m->objective = m->made_by = m->vocab_id = "";
    m->making = NULL;
}
