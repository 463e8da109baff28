#include "prep/compat_electra.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"
#include "prep/mt19937.h"

/* a pending sentence goes to the second segment */
#define SECOND (UINT32_C(1) << 31)

struct tsl_compat_electra {
    struct tsl_compat_electra_opts o;
    const struct tsl_docs *docs;
    struct tsl_mt19937 mt;
    uint64_t *file_ends;
    uint32_t *files; /* shuffled */
    size_t file;     /* of files */
    uint64_t doc;    /* the next one to be read */
    uint64_t doc_end;
    uint64_t nmade;
    struct tsl_doc d;
    size_t sent, at; /* the next sentence of d, and its first token */
    bool open;       /* d is being read */
    /* what is pending: the script's current_sentences */
    uint32_t *ids, *sents;
    uint8_t *starts;
    size_t ntokens, nsents, cap_ids, cap_starts, cap_sents;
    uint32_t target;
};

int tsl_compat_electra_create(struct tsl_compat_electra **out,
                              const struct tsl_compat_electra_opts *o,
                              const struct tsl_docs *docs, struct tsl_err *err)
{
    size_t nfiles = o->nfiles ? o->nfiles : 1;
    if (o->tokens_max < 5 || o->tokens_max > TSL_SAMPLE_TOKENS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "a length of %" PRIu32 " is not 5 to %d",
                           o->tokens_max, TSL_SAMPLE_TOKENS_MAX);
    if (o->special.cls < 0 || o->special.sep < 0)
        return tsl_err_set(err, TSL_EUSAGE, "the vocabulary lacks [CLS] or [SEP]");
    struct tsl_compat_electra *c = tsl_mem_alloc(1, sizeof *c, "instances", err);
    if (!c)
        return TSL_ENOMEM;
    c->o = *o;
    c->docs = docs;
    c->target = o->tokens_max;
    c->file_ends = tsl_mem_alloc(nfiles, sizeof *c->file_ends, "files", err);
    c->files = tsl_mem_alloc(nfiles, sizeof *c->files, "files", err);
    if (!c->file_ends || !c->files) {
        tsl_compat_electra_destroy(c);
        return TSL_ENOMEM;
    }
    for (size_t i = 0; i < nfiles; i++) {
        c->file_ends[i] = o->nfiles ? o->file_ends[i] : docs->ndocs;
        c->files[i] = (uint32_t)i;
        assert(c->file_ends[i] <= docs->ndocs);
        assert(i == 0 || c->file_ends[i - 1] <= c->file_ends[i]);
    }
    c->o.nfiles = nfiles;
    tsl_mt19937_seed_python(&c->mt, o->seed);
    tsl_mt19937_shuffle32(&c->mt, c->files, nfiles, false);
    *out = c;
    return 0;
}

void tsl_compat_electra_destroy(struct tsl_compat_electra *c)
{
    if (!c)
        return;
    tsl_mem_free(c->file_ends);
    tsl_mem_free(c->files);
    tsl_mem_free(c->ids);
    tsl_mem_free(c->starts);
    tsl_mem_free(c->sents);
    tsl_mem_free(c);
}

static int add_sentence(struct tsl_compat_electra *c, struct tsl_err *err)
{
    uint32_t n = c->d.sents[c->sent];
    size_t need = c->ntokens + n;
    if (need >= SECOND)
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64 ": a sentence of %" PRIu32 " tokens",
                           c->doc - 1, n);
    if (tsl_mem_grow(&c->ids, &c->cap_ids, need, 4, "an instance", err) < 0 ||
        tsl_mem_grow(&c->starts, &c->cap_starts, need, 1, "an instance", err) < 0 ||
        tsl_mem_grow(&c->sents, &c->cap_sents, c->nsents + 1, 4, "an instance", err) < 0)
        return TSL_ENOMEM;
    memcpy(c->ids + c->ntokens, c->d.ids + c->at, n * sizeof *c->ids);
    memcpy(c->starts + c->ntokens, c->d.starts + c->at, n);
    c->ntokens = need;
    c->sents[c->nsents++] = n;
    c->at += n;
    c->sent++;
    return 0;
}

static bool less(struct tsl_compat_electra *c, double p)
{
    return tsl_mt19937_bits53(&c->mt) < tsl_mt19937_threshold(p);
}

/* Puts tokens from at on behind the sample, as far as room allows. */
static void add_tokens(const struct tsl_compat_electra *c, struct tsl_sample *s,
                       size_t at, uint32_t n, uint32_t *room)
{
    if (n > *room)
        n = *room;
    tsl_sample_add(s, c->ids + at, c->starts + at, n);
    *room -= n;
}

static void make_instance(struct tsl_compat_electra *c, struct tsl_sample *s)
{
    uint64_t want = less(c, .1) ? 100000 : (c->target - 3) / 2;
    uint64_t first = 0, second = 0;
    uint32_t room = c->o.tokens_max - 2;
    size_t at = 0;
    tsl_sample_clear(s, c->nmade++);
    tsl_sample_add_special(s, (uint32_t)c->o.special.cls);
    for (size_t i = 0; i < c->nsents; i++) {
        uint32_t n = c->sents[i];
        if (first == 0 || first + n < want ||
            (second == 0 && first < want && less(c, .5))) {
            first += n;
            add_tokens(c, s, at, n, &room);
        } else {
            second += n;
            c->sents[i] |= SECOND;
        }
        at += n;
    }
    tsl_sample_add_special(s, (uint32_t)c->o.special.sep);
    s->first = s->n;
    room = c->o.tokens_max > s->n ? c->o.tokens_max - s->n - 1 : 0;
    if (second && room) {
        at = 0;
        for (size_t i = 0; i < c->nsents; i++) {
            uint32_t n = c->sents[i] & ~SECOND;
            if (c->sents[i] & SECOND)
                add_tokens(c, s, at, n, &room);
            at += n;
        }
        tsl_sample_add_special(s, (uint32_t)c->o.special.sep);
    }
    c->ntokens = c->nsents = 0;
    c->target = c->o.tokens_max;
    if (less(c, .05))
        c->target = (uint32_t)tsl_mt19937_randint(&c->mt, 5, c->o.tokens_max, false);
}

/* 1: d is the next one; 0: there is none. */
static int next_document(struct tsl_compat_electra *c, struct tsl_err *err)
{
    while (c->doc == c->doc_end) {
        if (c->file == c->o.nfiles)
            return 0;
        size_t f = c->files[c->file++];
        c->doc = f ? c->file_ends[f - 1] : 0;
        c->doc_end = c->file_ends[f];
    }
    int rc = c->docs->get(c->docs->ctx, c->doc, 0, &c->d, err);
    if (rc < 0)
        return rc;
    c->doc++;
    c->sent = c->at = 0;
    c->open = true;
    return 1;
}

int tsl_compat_electra_next(struct tsl_compat_electra *c, struct tsl_sample *s,
                            struct tsl_err *err)
{
    assert(s->cap >= c->o.tokens_max);
    for (;;) {
        if (!c->open) {
            int rc = next_document(c, err);
            if (rc <= 0)
                return rc;
        }
        while (c->sent < c->d.nsents) {
            int rc = add_sentence(c, err);
            if (rc < 0)
                return rc;
            if (c->ntokens >= c->target) {
                make_instance(c, s);
                return 1;
            }
        }
        c->open = false;
        if (c->ntokens && (!c->o.join || c->doc == c->doc_end)) {
            make_instance(c, s);
            return 1;
        }
    }
}
