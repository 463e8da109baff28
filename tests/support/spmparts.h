/* spmparts.h - parts of normalized text given straight to SentencePiece's two algorithms,
 * for their tests.  Models have no spaces, so that a part is spelled alike in the file and
 * in the engine. */
#ifndef TSL_SPMPARTS_H
#define TSL_SPMPARTS_H

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/slowspm.h"
#include "support/spmdata.h"
#include "text/spmmodel.h"

struct spmparts {
    struct tsl_spm *m;
    struct tsl_spm_coder *c;
    const struct tsl_tokfile_spm *file;
};

static inline struct spmparts spmparts_start(const struct spmdata *d)
{
    struct tsl_err err = { 0 };
    struct spmparts p = { 0 };
    assert_ok(tsl_spm_create(&p.m, spmdata_file(d), &err), &err);
    p.c = tsl_spm_engine.coder_create(p.m, 4 << 20, &err);
    assert_non_null(p.c);
    p.file = tsl_spm_file(p.m);
    return p;
}

static inline void spmparts_finish(struct spmparts *p)
{
    tsl_spm_engine.coder_destroy(p->c);
    tsl_spm_destroy(p->m);
}

/* n bytes of s, with the 0xFF behind them that the algorithms may look at; to be freed. */
static inline uint8_t *spmparts_text(const uint8_t *s, size_t n)
{
    uint8_t *p = malloc(n + TSL_SPMNORM_PAD);
    if (!p)
        abort();
    if (n)
        memcpy(p, s, n);
    memset(p + n, 0xff, TSL_SPMNORM_PAD);
    return p;
}

/* Some characters of one to four bytes. */
static inline size_t spmparts_random(struct gen *g, uint8_t *p, size_t nchars)
{
    static const char *const chars[] = {
        "a", "b", "c", "\xc3\xa9", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80", "z"
    };
    size_t n = 0, kinds = 1 + gen_below(g, sizeof chars / sizeof *chars);
    for (size_t i = 0; i < nchars; i++) {
        const char *c = chars[gen_below(g, kinds)];
        memcpy(p + n, c, strlen(c));
        n += strlen(c);
    }
    return n;
}

/* A model of such characters: many pieces, many of the same score. */
static inline struct spmdata spmparts_model(struct gen *g, enum tsl_spm_algorithm how,
                                            bool user, bool unused)
{
    struct spmdata d = spmdata_begin(how, false);
    size_t n = 5 + gen_below(g, 60), longest = 2 + gen_below(g, 4);
    unsigned scores = (unsigned)gen_below(g, 3);
    for (size_t i = 0; i < n; i++) {
        char text[64] = { 0 };
        spmparts_random(g, (uint8_t *)text, 1 + gen_below(g, longest));
        float score = scores == 0   ? -(float)gen_below(g, 6)
                      : scores == 1 ? -(float)gen_below(g, 100000) / 7777
                                    : -(float)gen_below(g, 100000) * 777.7F;
        enum tsl_spm_type type = user && gen_below(g, 10) == 0    ? TSL_SPM_USER_DEFINED
                                 : unused && gen_below(g, 5) == 0 ? TSL_SPM_UNUSED
                                                                  : TSL_SPM_NORMAL;
        spmdata_add(&d, text, score, type);
    }
    return d;
}

/* The coder's hits as "ab|c|?": the unknown is ?. */
static inline void spmparts_are(const struct spmparts *p, const char *want)
{
    char got[400] = "";
    for (size_t i = 0; i < p->c->nhits; i++) {
        const struct tsl_spm_piece *piece = &p->file->pieces[p->c->hits[i].id];
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s%.*s", i ? "|" : "",
                 piece->type == TSL_SPM_UNKNOWN ? 1 : (int)piece->text.len,
                 piece->type == TSL_SPM_UNKNOWN ? "?" : (const char *)piece->text.data);
    }
    assert_string_equal(got, want);
}

static inline void spmparts_equal(const struct tsl_spm_hit *hits, size_t n,
                                  const struct slow_piece *slow, size_t nslow)
{
    assert_int_equal(n, nslow);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hits[i].id, slow[i].id);
        assert_int_equal(hits[i].len, slow[i].len);
    }
}

/* The place of the character that p[at] belongs to. */
static inline size_t spmparts_boundary(const uint8_t *p, size_t at)
{
    while (at && (p[at] & 0xc0) == 0x80)
        at--;
    return at;
}

#endif
