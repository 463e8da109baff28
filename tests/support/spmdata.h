/* spmdata.h - small SentencePiece models with any mix of options, texts that meet their
 * corners, and rows encoded in stretches: for tests and fuzz targets.  Header only.
 * Failures end the program. */
#ifndef TSL_SPMDATA_H
#define TSL_SPMDATA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "support/charsmapdata.h"
#include "support/gendata.h"
#include "text/spm.h"

static inline void spmdata_must(int rc, const struct tsl_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "test data: %s\n", err->msg);
    abort();
}

static inline struct tsl_slice spmdata_str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

struct spmdata {
    struct tsl_spm_piece *pieces;
    size_t n, cap;
    struct tsl_spm_options options;
};

/* Adds a piece unless there is one of this text. */
static inline void spmdata_add(struct spmdata *d, const char *text, float score,
                               enum tsl_spm_type type)
{
    struct tsl_err err = { 0 };
    for (size_t i = 0; i < d->n; i++)
        if (strcmp((const char *)d->pieces[i].text.data, text) == 0)
            return;
    spmdata_must(
        tsl_mem_grow(&d->pieces, &d->cap, d->n + 1, sizeof *d->pieces, "pieces", &err),
        &err);
    char *copy = tsl_mem_strdup(text, &err);
    spmdata_must(copy ? 0 : TSL_ENOMEM, &err);
    d->pieces[d->n++] = (struct tsl_spm_piece){ spmdata_str(copy), score, type };
}

static inline struct spmdata spmdata_begin(enum tsl_spm_algorithm how, bool byte_fallback)
{
    struct spmdata d = { .options = tsl_tokfile_spm_defaults() };
    d.options.algorithm = how;
    d.options.byte_fallback = byte_fallback;
    spmdata_add(&d, "<unk>", 0, TSL_SPM_UNKNOWN);
    spmdata_add(&d, "<s>", 0, TSL_SPM_CONTROL);
    spmdata_add(&d, "</s>", 0, TSL_SPM_CONTROL);
    for (unsigned b = 0; b < 256 && byte_fallback; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", b);
        spmdata_add(&d, name, 0, TSL_SPM_BYTE);
    }
    return d;
}

/* The model, through its file. */
static inline struct tsl_tokfile_spm *spmdata_file(const struct spmdata *d)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *file;
    uint8_t *bytes;
    size_t n;
    spmdata_must(tsl_tokfile_spm_write(&bytes, &n, d->pieces, d->n, &d->options, &err),
                 &err);
    spmdata_must(
        tsl_tokfile_spm_read(&file, (struct tsl_slice){ bytes, n }, "x.model", &err),
        &err);
    tsl_mem_free(bytes);
    return file;
}

static inline void spmdata_end(struct spmdata *d)
{
    for (size_t i = 0; i < d->n; i++)
        tsl_mem_free((void *)(uintptr_t)d->pieces[i].text.data);
    tsl_mem_free(d->pieces);
    free((void *)(uintptr_t)d->options.normalizer.charsmap.data);
    *d = (struct spmdata){ 0 };
}

/* A model of few characters and many pieces of them, with many ties. */
static inline struct spmdata spmdata_random(struct gen *g)
{
    static const char *const chars[] = { "a",
                                         "b",
                                         "c",
                                         "\xe2\x96\x81",
                                         "\xc3\xa9",
                                         "\xe4\xbd\xa0",
                                         "\xe5\xa5\xbd",
                                         "\xf0\x9f\x98\x80",
                                         ".",
                                         "\xe2\x96\x81",
                                         "a",
                                         "b" };
    static const struct charsmapdata_pair map[] = {
        { "A", "a" },
        { "\t", " " },
        { "\xef\xac\x81", "bc" },
        { "x", "" },
        { "a\xcc\x81", "b" },
        { "\xe3\x80\x80", " " },
        { "\xef\xb7\xba", "a b  c" },
        { "ab.", "\xe4\xbd\xa0 " },
        { "\xe5\xa5\xbdz", "c" },
    };
    enum { NCHARS = sizeof chars / sizeof *chars, NMAP = sizeof map / sizeof *map };
    struct spmdata d = spmdata_begin((enum tsl_spm_algorithm)(1 + gen_below(g, 4)),
                                     gen_below(g, 3) == 0);
    struct tsl_spm_normalizer *norm = &d.options.normalizer;
    norm->add_dummy_prefix = gen_below(g, 3) > 0;
    norm->remove_extra_whitespaces = gen_below(g, 2);
    norm->escape_whitespaces = gen_below(g, 4) > 0;
    d.options.whitespace_suffix = gen_below(g, 4) == 0;
    if (gen_below(g, 2)) {
        size_t from = gen_below(g, NMAP), to = from + 1 + gen_below(g, NMAP - from);
        norm->charsmap = charsmapdata_build(map + from, to - from);
    }
    size_t npieces = 5 + gen_below(g, 60), longest = 2 + gen_below(g, 4);
    unsigned user = (unsigned)gen_below(g, 2), unused = (unsigned)gen_below(g, 2);
    unsigned scores = (unsigned)gen_below(g, 3);
    bool inner = gen_below(g, 2);
    for (size_t i = 0; i < npieces; i++) {
        char text[64] = "";
        size_t n = 1 + gen_below(g, longest);
        for (size_t k = 0; k < n; k++) {
            const char *c = chars[gen_below(g, NCHARS)];
            if (k && !inner && strcmp(c, chars[3]) == 0)
                c = "a";
            strcat(text, c);
        }
        float score = scores == 0   ? -(float)gen_below(g, 6)
                      : scores == 1 ? -(float)gen_below(g, 100000) / 7777
                                    : -(float)gen_below(g, 100000) * 777.7F;
        enum tsl_spm_type type = TSL_SPM_NORMAL;
        if (user && gen_below(g, 10) == 0)
            type = TSL_SPM_USER_DEFINED;
        else if (unused && gen_below(g, 6) == 0)
            type = TSL_SPM_UNUSED;
        spmdata_add(&d, text, score, type);
    }
    return d;
}

/* n pieces of text, good and bad; to be freed. */
static inline struct tsl_slice spmdata_text(struct gen *g, size_t n)
{
    static const char *const parts[] = { "a",
                                         "b",
                                         "c",
                                         " ",
                                         "  ",
                                         "\xe2\x96\x81",
                                         "\xc3\xa9",
                                         "\xe4\xbd\xa0",
                                         "\xe5\xa5\xbd",
                                         "\xf0\x9f\x98\x80",
                                         ".",
                                         "ab",
                                         "aaaa",
                                         "abc",
                                         " a",
                                         " b",
                                         "A",
                                         "\t",
                                         "x",
                                         "\xef\xac\x81",
                                         "\xcc\x81",
                                         "\xe3\x80\x80",
                                         "\xef\xb7\xba",
                                         "ab.",
                                         "z",
                                         "\xff",
                                         "\xe4\xbd",
                                         "\xe2\x96",
                                         "<s>",
                                         "<0x41>",
                                         "\n",
                                         "qwertyuiopas",
                                         "\xe5\xa5\xbd",
                                         "\xe4\xbd\xa0\xe5\xa5\xbd",
                                         "                " };
    uint8_t *p = malloc(n * 16 + 1);
    size_t len = 0, kinds = 3 + gen_below(g, sizeof parts / sizeof *parts - 2);
    if (!p)
        abort();
    for (size_t i = 0; i < n; i++) {
        const char *s = parts[gen_below(g, kinds)];
        memcpy(p + len, s, strlen(s));
        len += strlen(s);
    }
    return (struct tsl_slice){ p, len };
}

static inline bool spmdata_equal(const struct tsl_tokens *a, const struct tsl_tokens *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (a->ids[i] != b->ids[i] ||
            (a->want & b->want & TSL_WANT_SPANS &&
             (a->begin[i] != b->begin[i] || a->end[i] != b->end[i])) ||
            (a->want & b->want & TSL_WANT_MARKS && a->marks[i] != b->marks[i]))
            return false;
    return a->n == b->n;
}

#endif
