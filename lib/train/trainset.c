#include "train/trainset.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "record/manifest.h"
#include "samples/maskmeta.h"
#include "samples/samplerec.h"
#include "train/docwindows.h"
#include "train/samplestore.h"

enum { PROBES = 64, READER_LEAST = 4 << 20 };

struct tsl_trainset {
    struct tsl_trainset_opts o;
    char *path;
    struct tsl_trainset_info info;
    struct tsl_recreader *r;
    struct tsl_trainfields f;
    bool has_recipe;
    struct tsl_maskmeta meta;
    struct tsl_denoise *denoise; /* NULL: samples stay as they are */
    uint32_t cut;                /* tokens that a sample may have before it is masked */
    struct tsl_samplestore store;
    struct tsl_docwindows *windows;
};

void tsl_trainset_destroy(struct tsl_trainset *s)
{
    if (!s)
        return;
    tsl_docwindows_destroy(s->windows);
    tsl_samplestore_fini(&s->store);
    tsl_denoise_destroy(s->denoise);
    tsl_maskmeta_fini(&s->meta);
    tsl_recreader_destroy(s->r);
    tsl_mem_free(s->path);
    tsl_mem_free(s);
}

const struct tsl_trainset_info *tsl_trainset_info(const struct tsl_trainset *s)
{
    return &s->info;
}

const char *tsl_trainset_path(const struct tsl_trainset *s)
{
    return s->path;
}

uint64_t tsl_trainset_bytes(const struct tsl_trainset *s)
{
    return tsl_samplestore_bytes(&s->store) +
           (s->windows ? tsl_docwindows_bytes(s->windows) : 0);
}

/* ---- what it is ---- */

static void copy_text(char *to, size_t cap, const struct tsl_jsonval *v)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(v, &s))
        return;
    size_t n = s.len < cap - 1 ? s.len : cap - 1;
    memcpy(to, s.data, n);
    to[n] = 0;
}

static int64_t id_in(const struct tsl_jsonval *v, const char *key)
{
    int64_t id = -1;
    tsl_jsonread_int(tsl_jsonread_get(v, key), &id);
    return id >= 0 && id <= INT32_MAX ? id : -1;
}

/* Vocabulary and specials of any header that names them; the recipe, of cmask's. */
static int read_meta(struct tsl_trainset *s, struct tsl_err *err)
{
    const struct tsl_rechead *head = tsl_recreader_head(s->r);
    const char *text = head->meta ? head->meta : "{}";
    struct tsl_jsonread *doc;
    int64_t size = 0;
    s->info.special = (struct tsl_special_ids){ -1, -1, -1, -1, -1, -1, -1, NULL, 0 };
    int rc = tsl_jsonread_parse(
        &doc, (struct tsl_slice){ (const uint8_t *)text, strlen(text) }, "meta", err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *root = tsl_jsonread_root(doc),
                             *ids = tsl_jsonread_get(root, "specials");
    struct tsl_special_ids *x = &s->info.special;
    copy_text(s->info.objective, sizeof s->info.objective,
              tsl_jsonread_get(root, "objective"));
    copy_text(s->info.vocab_id, sizeof s->info.vocab_id,
              tsl_jsonread_get(root, "vocab_id"));
    if (tsl_jsonread_int(tsl_jsonread_get(root, "vocab_size"), &size) && size > 0 &&
        size <= INT32_MAX)
        s->info.vocab_size = x->vocab_size = (uint32_t)size;
    x->pad = id_in(ids, "pad");
    x->unk = id_in(ids, "unk");
    x->cls = id_in(ids, "cls");
    x->sep = id_in(ids, "sep");
    x->mask = id_in(ids, "mask");
    x->bos = id_in(ids, "bos");
    x->eos = id_in(ids, "eos");
    s->has_recipe = tsl_jsonread_get(root, "denoise") != NULL;
    tsl_jsonread_destroy(doc);
    if (s->has_recipe)
        rc = tsl_maskmeta_read(&s->meta, text, s->path, err);
    s->info.seed = s->meta.seed;
    return rc;
}

static bool asked_for(const struct tsl_trainset *s, const char *objective)
{
    return s->o.objective && strcmp(s->o.objective, objective) == 0;
}

static int refuse(const struct tsl_trainset *s, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: %s (fields found: %s)",
                       tsl_quote(s->path).s, what, s->info.fields);
}

static enum tsl_train_kind kind_of_denoise(enum tsl_denoise_kind k)
{
    switch (k) {
    case TSL_DENOISE_SPAN: return TSL_TRAIN_SPAN;
    case TSL_DENOISE_PREFIX: return TSL_TRAIN_PREFIX;
    case TSL_DENOISE_UNILM: return TSL_TRAIN_UNILM;
    case TSL_DENOISE_PLM: return TSL_TRAIN_PLM;
    case TSL_DENOISE_MAE: return TSL_TRAIN_MAE;
    default: return TSL_TRAIN_MLM;
    }
}

/* What fields alone say, where no recipe does. */
static int kind_by_fields(struct tsl_trainset *s, struct tsl_err *err)
{
    const int *c = s->f.column;
    enum tsl_train_kind *k = &s->info.kind;
    if (c[TSL_FIELD_OUTS] >= 0)
        *k = TSL_TRAIN_SPAN;
    else if (s->f.masked)
        *k = c[TSL_FIELD_KIND] >= 0 ? TSL_TRAIN_UNILM : TSL_TRAIN_MLM;
    else if (c[TSL_FIELD_KIND] >= 0)
        *k = TSL_TRAIN_PREFIX;
    else if (s->f.ids_only)
        *k = TSL_TRAIN_CLM;
    else
        return refuse(s,
                      "nothing in it is to be predicted, and it has no recipe that "
                      "says what: samples of cmask have, or masked_lm_positions and "
                      "masked_lm_ids, or labels; or ask for clm",
                      err);
    return 0;
}

static int kind_by_recipe(struct tsl_trainset *s, struct tsl_err *err)
{
    const struct tsl_maskmeta *m = &s->meta;
    s->info.kind = kind_of_denoise(m->denoise.kind);
    if (m->denoise.kind != TSL_DENOISE_NONE) {
        s->info.dynamic = !m->masked;
        return m->masked && s->info.kind != TSL_TRAIN_PREFIX && !s->f.masked
                   ? refuse(s, "its samples are masked, but do not say where", err)
                   : 0;
    }
    if (strcmp(s->info.objective, "clm") == 0)
        s->info.kind = TSL_TRAIN_CLM;
    else if (strcmp(s->info.objective, "electra") == 0 && !s->f.masked)
        s->info.kind = TSL_TRAIN_ELECTRA;
    else if (!s->f.masked)
        return kind_by_fields(s, err);
    return 0;
}

static int find_kind(struct tsl_trainset *s, struct tsl_err *err)
{
    int rc = 0;
    if (asked_for(s, "clm"))
        s->info.kind = TSL_TRAIN_CLM;
    else if (asked_for(s, "electra"))
        s->info.kind = TSL_TRAIN_ELECTRA;
    else
        rc = s->has_recipe ? kind_by_recipe(s, err) : kind_by_fields(s, err);
    if (rc < 0)
        return rc;
    if (s->o.objective && strcmp(s->o.objective, tsl_train_kind_name(s->info.kind)) &&
        strcmp(s->o.objective, s->info.objective))
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: it is data for %s, not for %s (fields found: %s)",
                           tsl_quote(s->path).s, tsl_train_kind_name(s->info.kind),
                           tsl_quote(s->o.objective).s, s->info.fields);
    if (s->info.kind == TSL_TRAIN_ELECTRA)
        s->info.dynamic = !s->f.masked;
    if (!s->info.objective[0] || s->info.kind == TSL_TRAIN_ELECTRA ||
        s->info.kind == TSL_TRAIN_CLM)
        snprintf(s->info.objective, sizeof s->info.objective, "%s",
                 tsl_train_kind_name(s->info.kind));
    bool unlabelled = s->has_recipe && s->info.objective[0] &&
                      strcmp(s->info.objective, "nsp") != 0 &&
                      strcmp(s->info.objective, "sop") != 0;
    s->info.labels = s->f.column[TSL_FIELD_LABEL] >= 0 && !unlabelled;
    s->info.positions = s->f.column[TSL_FIELD_POSITIONS] >= 0 ||
                        s->info.kind == TSL_TRAIN_PLM || s->info.kind == TSL_TRAIN_MAE;
    s->info.documents = s->f.column[TSL_FIELD_ENDS] >= 0;
    return 0;
}

/* ---- how long samples are ---- */

/* Input and output of n raw tokens whose spans are taken out, at most. */
static void span_bounds(const struct tsl_span_opts *o, uint32_t n, uint32_t *in,
                        uint32_t *out)
{
    *in = *out = 0;
    for (unsigned i = 0; i < o->ndenoisers; i++) {
        const struct tsl_span_denoiser *d = &o->denoisers[i];
        /* a header's numbers may be anything; denoise refuses those that make no sense */
        double density = d->density >= 0 && d->density <= 1 ? d->density : 1;
        double mean = d->mean_span >= 1 ? d->mean_span : 1, noise = n * density;
        double spans = fmin(ceil((noise + 1) / mean) + 1, o->nsentinels);
        uint32_t more = (o->eos >= 0) + (d->mode >= 0) + 1;
        if (d->kind == TSL_SPAN_SUFFIX) { /* its share varies: all but one, or none */
            spans = 1;
            noise = n;
        }
        double least = d->kind == TSL_SPAN_SUFFIX ? 0 : floor(noise);
        uint32_t a = (uint32_t)(n - least + spans) + more,
                 b = (uint32_t)(ceil(noise) + spans) + more;
        *in = a > *in ? a : *in;
        *out = b > *out ? b : *out;
    }
    *in = *in > n + 3 ? n + 3 : *in; /* prep/span.h: never more */
}

/* Sizes that the recipe asks for, of samples of n tokens. */
static void size_by_recipe(struct tsl_trainset *s, uint32_t n)
{
    struct tsl_trainset_info *i = &s->info;
    const struct tsl_mlm_opts *mlm = &s->meta.denoise.mlm;
    i->tokens_max = n;
    if (i->kind == TSL_TRAIN_SPAN)
        span_bounds(&s->meta.denoise.span, n, &i->tokens_max, &i->outs_max);
    if (s->meta.denoise.kind != TSL_DENOISE_NONE && i->kind != TSL_TRAIN_SPAN &&
        i->kind != TSL_TRAIN_PREFIX && i->kind != TSL_TRAIN_CLM)
        i->masks_max =
            mlm->masks_max ? mlm->masks_max : (uint32_t)ceil(mlm->rate * n) + 1;
    else if (s->f.masked && i->kind != TSL_TRAIN_SPAN)
        i->masks_max = n;
    if (i->masks_max > n)
        i->masks_max = n;
}

/* Sizes of data without a recipe: those of the first record, which is padded if any is. */
static int size_by_data(struct tsl_trainset *s, struct tsl_err *err)
{
    const int *c = s->f.column;
    const struct tsl_value *v;
    struct tsl_record rec;
    struct tsl_trainset_info *i = &s->info;
    int rc = tsl_recreader_next(s->r, &rec, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return refuse(s, "it has no records", err);
    v = rec.values;
    i->tokens_max = v[c[TSL_FIELD_IDS]].n;
    if (c[TSL_FIELD_OUTS] >= 0)
        i->outs_max = v[c[TSL_FIELD_OUTS]].n;
    else if (s->f.masked)
        i->masks_max = c[TSL_FIELD_PLACES] >= 0 && c[TSL_FIELD_MASK] >= 0
                           ? v[c[TSL_FIELD_PLACES]].n
                           : i->tokens_max;
    if (i->outs_max && s->o.tokens_max)
        i->outs_max = s->o.tokens_max;
    return i->tokens_max ? 0 : refuse(s, "its first record has no tokens", err);
}

/* The raw length of samples whose input is no longer than most. */
static uint32_t raw_length(const struct tsl_trainset *s, uint32_t most)
{
    uint32_t n = most, in = 0, out;
    if (s->info.kind != TSL_TRAIN_SPAN)
        return s->info.kind == TSL_TRAIN_CLM || s->info.kind == TSL_TRAIN_PREFIX
                   ? most + 1
                   : most;
    for (n = most * 2; n > 1; n--) {
        span_bounds(&s->meta.denoise.span, n, &in, &out);
        if (in <= most)
            break;
    }
    return n;
}

/* T, P and D: the data's own, then what was asked for. */
static int find_sizes(struct tsl_trainset *s, struct tsl_err *err)
{
    struct tsl_trainset_info *i = &s->info;
    int rc = 0;
    if (s->has_recipe)
        size_by_recipe(s, s->meta.tokens_max);
    else
        rc = size_by_data(s, err);
    if (rc < 0)
        return rc;
    uint32_t own = i->tokens_max;
    bool shorter = s->o.tokens_max && s->o.tokens_max < own;
    if (shorter && s->o.truncate) {
        bool moved = i->kind == TSL_TRAIN_SPAN || i->kind == TSL_TRAIN_PLM ||
                     i->kind == TSL_TRAIN_MAE;
        if (moved && !i->dynamic)
            return tsl_err_set(err, TSL_EUSAGE,
                               "%s: samples of %s cannot be cut when they are masked "
                               "already",
                               tsl_quote(s->path).s, i->objective);
        s->cut = raw_length(s, s->o.tokens_max);
        if (s->has_recipe)
            size_by_recipe(s, s->cut < s->meta.tokens_max ? s->cut : s->meta.tokens_max);
    }
    if (s->o.tokens_max)
        i->tokens_max = s->o.tokens_max;
    if (s->o.masks_max && i->masks_max)
        i->masks_max = s->o.masks_max;
    if (i->masks_max > i->tokens_max)
        i->masks_max = i->tokens_max;
    return 0;
}

static int make_masks(struct tsl_trainset *s, struct tsl_err *err)
{
    struct tsl_denoise_opts o = s->meta.denoise;
    if (!s->info.dynamic)
        return 0;
    if (s->info.kind == TSL_TRAIN_ELECTRA) { /* google-research/electra: 85 % [MASK] */
        o = (struct tsl_denoise_opts){ .kind = TSL_DENOISE_MLM,
                                       .mlm = tsl_mlm_defaults() };
        o.mlm.rate = s->o.rate > 0 ? s->o.rate : .15;
        o.mlm.mask_share = .85;
        o.mlm.random_share = 0;
        tsl_denoise_key(&o, s->has_recipe ? &s->meta.special : &s->info.special,
                        s->meta.seed);
        s->info.masks_max = (uint32_t)ceil(o.mlm.rate * s->info.tokens_max) + 1;
        if (s->info.masks_max > s->info.tokens_max)
            s->info.masks_max = s->info.tokens_max;
    }
    if (s->info.kind == TSL_TRAIN_PREFIX && o.unilm.separator >= 0 &&
        o.unilm.tokens_max > s->info.tokens_max)
        o.unilm.tokens_max = s->info.tokens_max;
    bool words = o.kind != TSL_DENOISE_SPAN && o.kind != TSL_DENOISE_PREFIX &&
                 o.mlm.unit != TSL_MLM_TOKENS;
    if (words && s->f.column[TSL_FIELD_STARTS] < 0)
        return refuse(s, "it is to be masked by words, but does not say where they start",
                      err);
    return tsl_denoise_create(&s->denoise, &o, err);
}

/* ---- where samples come from ---- */

/* What went wrong with record i. */
static int in_record(const struct tsl_trainset *s, uint64_t i, const struct tsl_err *why,
                     struct tsl_err *err)
{
    struct tsl_quoted path = tsl_quote(s->path);
    const char *what = why->msg;
    size_t n = strlen(path.s);
    if (strncmp(what, path.s, n) == 0 && what[n] == ':')
        what += n + 1 + (what[n + 1] == ' '); /* a file that is the whole set: once */
    return tsl_err_set(err, why->code, "%s: record %" PRIu64 ": %s", path.s, i, what);
}

/* The record at hand as a sample, cut if need be; not masked yet. */
static int read_sample(struct tsl_trainset *s, const struct tsl_record *rec,
                       struct tsl_sample *sample, struct tsl_err *err)
{
    int rc = tsl_trainfields_read(&s->f, rec, sample, err);
    if (rc < 0)
        return rc;
    if (!s->info.labels)
        sample->label = TSL_SAMPLE_NO_LABEL;
    if (s->info.kind == TSL_TRAIN_CLM)
        sample->nmasked = 0;
    if (!s->cut || sample->n <= s->cut)
        return 0;
    uint32_t n = sample->n = s->cut, kept = 0;
    sample->first = sample->first < n ? sample->first : n;
    sample->prefix = sample->prefix < n ? sample->prefix : n;
    for (uint32_t i = 0; i < sample->nends; i++)
        sample->ends[i] = sample->ends[i] < n ? sample->ends[i] : n;
    for (uint32_t i = 0; i < sample->nmasked; i++)
        if (sample->places[i] < n) {
            sample->places[kept] = sample->places[i];
            sample->targets[kept++] = sample->targets[i];
        }
    sample->nmasked = kept;
    return 0;
}

/* Will all samples fit?  Told from some of them, where they can be counted and picked. */
static int guess_fit(struct tsl_trainset *s, bool *fits, bool *picks, struct tsl_err *err)
{
    uint64_t n = 0;
    struct tsl_err why = { 0 };
    struct tsl_record rec;
    struct tsl_sample sample;
    *fits = true;
    int rc = tsl_recreader_count(s->r, &n, &why);
    if (rc == 0 && n)
        rc = tsl_recreader_at(s->r, 0, &rec, &why);
    *picks = rc >= 0;
    if (rc == TSL_EUSAGE || n == 0)
        return 0;
    if (rc < 0)
        return in_record(s, 0, &why, err);
    struct tsl_samplestore some = { .starts = s->store.starts };
    rc = tsl_sample_init(&sample, s->info.tokens_max + TSL_SAMPLE_SLACK, err);
    for (uint64_t i = 0; rc == 0 && i < PROBES && i < n; i++) {
        uint64_t at = n <= PROBES ? i : n / PROBES * i;
        rc = tsl_recreader_at(s->r, at, &rec, &why);
        if (rc > 0)
            rc = read_sample(s, &rec, &sample, &why);
        rc = rc < 0 ? in_record(s, at, &why, err)
                    : tsl_samplestore_put(&some, &sample, err);
    }
    *fits = some.n && (double)some.len / (double)some.n * (double)n + 8.0 * (double)n <
                          .9 * (double)s->o.memory;
    tsl_samplestore_fini(&some);
    tsl_sample_fini(&sample);
    return rc;
}

/* share: of the memory, the reader's. */
static struct tsl_recreader_opts reader_opts(const struct tsl_trainset *s, unsigned share)
{
    uint64_t memory = s->o.memory / share;
    return (struct tsl_recreader_opts){
        .format = s->o.format,
        .memory = memory > READER_LEAST ? memory : READER_LEAST,
    };
}

static int reopen(struct tsl_trainset *s, unsigned share, struct tsl_err *err)
{
    struct tsl_recreader_opts o = reader_opts(s, share);
    tsl_recreader_destroy(s->r);
    s->r = NULL;
    return tsl_recreader_open(&s->r, s->path, &o, err);
}

static int too_much(const struct tsl_trainset *s, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE,
                       "%s: its samples are more than memory holds (%" PRIu64
                       " bytes), and no record of format %s can be picked by number: "
                       "convert it with cshard, or give more memory",
                       tsl_quote(s->path).s, s->o.memory, s->info.format);
}

/* Every sample into the store; *fits false: there is no room, and it is empty again. */
static int read_all(struct tsl_trainset *s, bool *fits, struct tsl_err *err)
{
    struct tsl_sample sample;
    struct tsl_record rec;
    struct tsl_err why = { 0 };
    int rc = tsl_sample_init(&sample, s->info.tokens_max + TSL_SAMPLE_SLACK, err);
    *fits = true;
    while (rc == 0 && *fits) {
        int got = tsl_recreader_next(s->r, &rec, &why);
        if (got > 0)
            rc = read_sample(s, &rec, &sample, &why);
        if (got < 0 || rc < 0) {
            rc = in_record(s, s->store.n, &why, err);
            break;
        }
        if (got == 0)
            break;
        rc = tsl_samplestore_put(&s->store, &sample, err);
        *fits = tsl_samplestore_bytes(&s->store) <= s->o.memory;
    }
    s->info.samples = s->store.n;
    s->info.resident = *fits;
    if (!*fits)
        tsl_samplestore_fini(&s->store);
    tsl_sample_fini(&sample);
    return rc;
}

static int open_samples(struct tsl_trainset *s, struct tsl_err *err)
{
    bool fits, picks;
    s->store.starts = s->info.dynamic && s->f.column[TSL_FIELD_STARTS] >= 0;
    int rc = guess_fit(s, &fits, &picks, err);
    if (rc == 0 && fits) {
        rc = reopen(s, 4, err);
        if (rc == 0)
            rc = read_all(s, &fits, err);
    }
    if (rc == 0 && !fits && picks) /* what is unpacked to be picked from stays at hand */
        rc = reopen(s, 1, err);
    if (rc < 0 || s->info.resident)
        return rc;
    return picks ? tsl_recreader_count(s->r, &s->info.samples, err) : too_much(s, err);
}

static bool is_a_stream(const char *format)
{
    return strcmp(format, "llmc") == 0 || strcmp(format, "u16") == 0 ||
           strcmp(format, "u32") == 0;
}

static int open_windows(struct tsl_trainset *s, struct tsl_err *err)
{
    struct tsl_docwindows_opts o = { .tokens_max = s->o.tokens_max,
                                     .within = s->o.within_documents,
                                     .doc_end = s->o.doc_end,
                                     .memory = s->o.memory,
                                     .no_documents = is_a_stream(s->info.format) };
    if (!o.tokens_max)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: token ids without an end, from which windows are to be "
                           "cut: say how long (--seq-length)",
                           tsl_quote(s->path).s);
    s->info.windows = true;
    s->info.tokens_max = o.tokens_max;
    s->info.documents = !o.within && !o.no_documents;
    int rc = tsl_docwindows_open(&s->windows, s->r, &s->f, s->path, &o, err);
    if (rc < 0)
        return rc;
    s->info.resident = tsl_docwindows_resident(s->windows);
    s->info.samples = tsl_docwindows_count(s->windows);
    s->info.tokens = tsl_docwindows_tokens(s->windows);
    return 0;
}

/* The format of a set's shards, which its manifest names. */
static int find_format(struct tsl_trainset *s, struct tsl_err *err)
{
    char *name = tsl_mem_alloc(strlen(s->path) + 16, 1, "a name", err);
    struct tsl_source src;
    struct tsl_manifest m = { .format = NULL };
    if (!name)
        return TSL_ENOMEM;
    sprintf(name, tsl_file_is_folder(s->path) ? "%s/manifest.json" : "%s", s->path);
    int rc = tsl_source_open(&src, name, 0, err);
    if (rc == 0) {
        rc = tsl_manifest_read(&m, name, &src, reader_opts(s, 4).memory, err);
        tsl_source_close(&src, NULL);
    }
    if (rc == 0)
        snprintf(s->info.format, sizeof s->info.format, "%s", m.format);
    tsl_manifest_fini(&m);
    tsl_mem_free(name);
    return rc;
}

static int open_set(struct tsl_trainset *s, struct tsl_err *err)
{
    struct tsl_recreader_opts ro = reader_opts(s, 4);
    int rc = tsl_recreader_open(&s->r, s->path, &ro, err);
    if (rc < 0)
        return rc;
    const struct tsl_schema *schema = &tsl_recreader_head(s->r)->schema;
    snprintf(s->info.format, sizeof s->info.format, "%s", tsl_recreader_format(s->r));
    if (strcmp(s->info.format, "set") == 0)
        rc = find_format(s, err);
    if (rc == 0)
        rc = tsl_trainfields_find(&s->f, schema, s->path, err);
    if (rc < 0)
        return rc;
    tsl_trainfields_tell(&s->f, schema, s->info.fields, sizeof s->info.fields);
    rc = read_meta(s, err);
    if (rc == 0)
        rc = find_kind(s, err);
    uint32_t row = s->f.count[TSL_FIELD_IDS];
    bool rows = row && (!s->o.tokens_max || row <= (uint64_t)s->o.tokens_max + 1);
    if (rc == 0 && s->f.ids_only && !s->has_recipe && !rows)
        rc = open_windows(s, err);
    else if (rc == 0) {
        rc = find_sizes(s, err);
        if (rc == 0)
            rc = make_masks(s, err);
        if (rc == 0)
            rc = open_samples(s, err);
    }
    if (rc == 0 && s->info.samples == 0)
        rc = refuse(s, "it has no sample", err);
    return rc;
}

int tsl_trainset_open(struct tsl_trainset **out, const struct tsl_trainset_opts *o,
                      struct tsl_err *err)
{
    struct tsl_trainset *s = tsl_mem_alloc(1, sizeof *s, "a data set", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    if (!s->o.memory)
        s->o.memory = 256 << 20;
    s->path = tsl_mem_strdup(o->path, err);
    int rc = s->path ? open_set(s, err) : TSL_ENOMEM;
    if (rc < 0) {
        tsl_trainset_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

int tsl_trainset_get(struct tsl_trainset *s, uint64_t i, uint64_t epoch,
                     struct tsl_sample *sample, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    struct tsl_record rec;
    int rc;
    if (s->windows) {
        rc = tsl_docwindows_get(s->windows, i, sample, &why);
    } else if (s->info.resident) {
        rc = tsl_samplestore_get(&s->store, (size_t)i, sample, &why);
    } else {
        rc = tsl_recreader_at(s->r, i, &rec, &why);
        if (rc == 1)
            rc = read_sample(s, &rec, sample, &why);
    }
    if (rc < 0)
        return in_record(s, i, &why, err);
    if (s->denoise)
        tsl_denoise_apply(s->denoise, epoch, sample, NULL);
    return 0;
}
