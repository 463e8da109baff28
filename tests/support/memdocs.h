/* memdocs.h - documents in memory behind struct tsl_docs, for tests, the fixture runner
 * and benchmarks: read from docs.jsonl (a document a line, a list of sentences, each a
 * list of ids) or made up. */
#ifndef TSL_MEMDOCS_H
#define TSL_MEMDOCS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonread.h"
#include "prep/docs.h"

struct memdocs {
    struct tsl_docs docs; /* ctx is this struct: do not move it */
    uint32_t *ids, *sents;
    uint8_t *starts;
    size_t ntokens, nsents, ndocs, cap_tokens, cap_sents, cap_docs;
    struct {
        size_t token, sent; /* where it begins */
    } * at;
};

static inline int memdocs_get(void *ctx, uint64_t number, unsigned slot,
                              struct tsl_doc *d, struct tsl_err *err)
{
    struct memdocs *m = ctx;
    (void)slot;
    if (number >= m->ndocs)
        return tsl_err_set(err, TSL_EFORMAT, "no document %llu",
                           (unsigned long long)number);
    size_t t = m->at[number].token, s = m->at[number].sent;
    int last = number + 1 == m->ndocs;
    d->ids = m->ids + t;
    d->starts = m->starts + t;
    d->sents = m->sents + s;
    d->ntokens = (last ? m->ntokens : m->at[number + 1].token) - t;
    d->nsents = (last ? m->nsents : m->at[number + 1].sent) - s;
    return 0;
}

static inline void memdocs_init(struct memdocs *m)
{
    *m = (struct memdocs){ .docs = { .get = memdocs_get, .ctx = m } };
}

static inline void memdocs_fini(struct memdocs *m)
{
    free(m->ids);
    free(m->sents);
    free(m->starts);
    free(m->at);
    memset(m, 0, sizeof *m);
}

static inline void *memdocs_room(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap && p)
        return p;
    *cap = need < 64 ? 64 : need * 2;
    p = realloc(p, *cap * size);
    if (!p)
        abort();
    return p;
}

static inline void memdocs_begin(struct memdocs *m)
{
    m->at = memdocs_room(m->at, &m->cap_docs, m->ndocs + 1, sizeof *m->at);
    m->at[m->ndocs].token = m->ntokens;
    m->at[m->ndocs++].sent = m->nsents;
    m->docs.ndocs = m->ndocs;
}

/* An empty sentence is none. */
static inline void memdocs_sentence(struct memdocs *m, const uint32_t *ids,
                                    const uint8_t *starts, size_t n)
{
    if (!n)
        return;
    size_t cap = m->cap_tokens;
    m->ids = memdocs_room(m->ids, &cap, m->ntokens + n, sizeof *m->ids);
    m->starts = memdocs_room(m->starts, &m->cap_tokens, m->ntokens + n, 1);
    m->sents = memdocs_room(m->sents, &m->cap_sents, m->nsents + 1, sizeof *m->sents);
    memcpy(m->ids + m->ntokens, ids, n * sizeof *ids);
    memcpy(m->starts + m->ntokens, starts, n);
    m->ntokens += n;
    m->sents[m->nsents++] = (uint32_t)n;
}

/* continues: one bit an id that continues a word.  false: it cannot be read. */
static inline int memdocs_read(struct memdocs *m, const char *path,
                               const uint8_t *continues, size_t nids)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int ok = f != NULL;
    while (f && ok && (len = getline(&line, &cap, f)) > 0) {
        struct tsl_jsonread *doc = NULL;
        struct tsl_slice text = { (const uint8_t *)line, (size_t)len };
        if (len > 1 && tsl_jsonread_parse(&doc, text, path, NULL) < 0) {
            ok = 0;
            break;
        }
        const struct tsl_jsonval *root = doc ? tsl_jsonread_root(doc) : NULL;
        memdocs_begin(m);
        for (size_t s = 0; s < tsl_jsonread_size(root); s++) {
            const struct tsl_jsonval *sent = tsl_jsonread_at(root, s);
            size_t n = tsl_jsonread_size(sent);
            uint32_t *ids = malloc((n + 1) * sizeof *ids);
            uint8_t *starts = malloc(n + 1);
            for (size_t i = 0; i < n; i++) {
                int64_t id = -1;
                ok = ok && tsl_jsonread_int(tsl_jsonread_at(sent, i), &id) && id >= 0;
                ids[i] = (uint32_t)id;
                starts[i] = !(ok && (size_t)id < nids &&
                              continues[(size_t)id / 8] >> ((size_t)id % 8) & 1);
            }
            memdocs_sentence(m, ids, starts, n);
            free(ids);
            free(starts);
        }
        tsl_jsonread_destroy(doc);
    }
    free(line);
    if (f)
        fclose(f);
    return ok;
}

/* ndocs documents of ids from low up to vocab: 1 to nsents_max sentences of 1 to nmax
 * tokens, a word of 1.25 tokens on average. */
static inline void memdocs_make(struct memdocs *m, uint64_t seed, size_t ndocs,
                                uint32_t nsents_max, uint32_t nmax, uint32_t low,
                                uint32_t vocab)
{
    uint64_t x = seed * 2 + 1;
    uint32_t *ids = malloc(nmax * sizeof *ids);
    uint8_t *starts = malloc(nmax);
#define MEMDOCS_BELOW(n)                                                                 \
    (x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407),              \
     (uint32_t)((x >> 32) * (n) >> 32))
    for (size_t d = 0; d < ndocs; d++) {
        memdocs_begin(m);
        for (uint32_t s = MEMDOCS_BELOW(nsents_max) + 1; s; s--) {
            uint32_t n = MEMDOCS_BELOW(nmax) + 1;
            for (uint32_t i = 0; i < n; i++) {
                ids[i] = low + MEMDOCS_BELOW(vocab - low);
                starts[i] = i == 0 || MEMDOCS_BELOW(5) > 0;
            }
            memdocs_sentence(m, ids, starts, n);
        }
    }
#undef MEMDOCS_BELOW
    free(ids);
    free(starts);
}

#endif
