/* bytebpedata.h - real vocabularies of byte-level BPE for tests, fuzz targets and
 * benchmarks.  Header only, so that all of them can have it.  Failures end the program. */
#ifndef TSL_BYTEBPEDATA_H
#define TSL_BYTEBPEDATA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "text/bytebpe.h"
#include "text/tokfile.h"
#include "text/tokfile_gpt2.h"
#include "text/tokfile_tiktoken.h"

enum { BPEDATA_SPECIALS = 64 };

struct bpedata {
    struct tsl_vocab *vocab;
    struct tsl_tokfile_merges merges;
    struct tsl_bytebpe_special specials[BPEDATA_SPECIALS];
    size_t nspecials;
    struct tsl_jsonread *doc;
    struct tsl_bytebpe_opts opts;
};

static inline void bpedata_must(int rc, const struct tsl_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "test data: %s\n", err->msg);
    abort();
}

/* A file of tests/data/tokenizers, from any folder of the project. */
static inline struct tsl_slice bpedata_read(const char *name)
{
    struct tsl_err err = { 0 };
    struct tsl_slice s = { NULL, 0 };
    uint8_t *data = NULL;
    char path[512];
    for (unsigned up = 0; up < 12; up++) {
        size_t at = 0;
        for (unsigned i = 0; i < up; i++)
            at += (size_t)snprintf(path + at, sizeof path - at, "../");
        snprintf(path + at, sizeof path - at, "tests/data/tokenizers/%s", name);
        if (access(path, R_OK) == 0)
            break;
    }
    bpedata_must(tsl_tokfile_read(&data, &s.len, path, &err), &err);
    s.data = data;
    return s;
}

static inline void bpedata_free(struct tsl_slice s)
{
    tsl_mem_free((void *)(uintptr_t)s.data);
}

static inline void bpedata_gpt2(struct bpedata *d)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *spelled = NULL;
    struct tsl_slice json = bpedata_read("gpt2/vocab.json.gz");
    struct tsl_slice merges = bpedata_read("gpt2/merges.txt.gz");
    *d = (struct bpedata){ 0 };
    bpedata_must(tsl_tokfile_gpt2_vocab(&spelled, json, "vocab.json", &err), &err);
    bpedata_must(tsl_tokfile_gpt2_merges(&d->merges, spelled, merges, "merges.txt", &err),
                 &err);
    d->vocab = tsl_tokfile_gpt2_bytes(spelled, &err);
    tsl_vocab_destroy(spelled);
    bpedata_free(json);
    bpedata_free(merges);
    static const char end[] = "<|endoftext|>";
    d->specials[d->nspecials++] = (struct tsl_bytebpe_special){
        { (const uint8_t *)end, sizeof end - 1 }, 50256, false
    };
    d->opts = (struct tsl_bytebpe_opts){ .vocab = d->vocab,
                                         .merges = d->merges.list,
                                         .nmerges = d->merges.n,
                                         .pattern = TSL_SPLITPAT_GPT2,
                                         .specials = d->specials,
                                         .nspecials = d->nspecials };
}

/* Without special tokens; opts.nspecials = nspecials turns them on. */
static inline void bpedata_cl100k(struct bpedata *d)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_tiktoken t;
    struct tsl_slice text = bpedata_read("cl100k_base/cl100k_base.tiktoken.gz");
    *d = (struct bpedata){ 0 };
    bpedata_must(tsl_tokfile_tiktoken_parse(&t, text, "cl100k", NULL, &err), &err);
    bpedata_free(text);
    d->vocab = t.vocab;
    for (size_t i = 0; i < t.nspecials; i++) {
        const char *s = t.specials[i].text;
        d->specials[d->nspecials++] = (struct tsl_bytebpe_special){
            { (const uint8_t *)s, strlen(s) }, t.specials[i].id, false
        };
    }
    d->opts = (struct tsl_bytebpe_opts){
        .vocab = d->vocab, .pattern = t.pattern, .whole = true, .specials = d->specials
    };
}

static inline void bpedata_neox(struct bpedata *d)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *spelled = NULL;
    struct tsl_slice json = bpedata_read("gptneox-20b/tokenizer.json.gz");
    *d = (struct bpedata){ 0 };
    bpedata_must(tsl_jsonread_parse(&d->doc, json, "tokenizer.json", &err), &err);
    bpedata_free(json);
    const struct tsl_jsonval *root = tsl_jsonread_root(d->doc);
    const struct tsl_jsonval *model = tsl_jsonread_get(root, "model");
    const struct tsl_jsonval *merges = tsl_jsonread_get(model, "merges");
    const struct tsl_jsonval *added = tsl_jsonread_get(root, "added_tokens");
    bpedata_must(tsl_tokfile_gpt2_object(&spelled, tsl_jsonread_get(model, "vocab"),
                                         "tokenizer.json", &err),
                 &err);
    for (size_t i = 0; i < tsl_jsonread_size(merges); i++) {
        struct tsl_slice s = { NULL, 0 }, left, right;
        (void)tsl_jsonread_str(tsl_jsonread_at(merges, i), &s);
        const uint8_t *blank = memchr(s.data, ' ', s.len);
        left = (struct tsl_slice){ s.data, (size_t)(blank - s.data) };
        right = (struct tsl_slice){ blank + 1, s.len - left.len - 1 };
        bpedata_must(tsl_tokfile_merges_add(&d->merges, spelled, left, right, 0,
                                            "tokenizer.json", &err),
                     &err);
    }
    d->vocab = tsl_tokfile_gpt2_bytes(spelled, &err);
    tsl_vocab_destroy(spelled);
    for (size_t i = 0; i < tsl_jsonread_size(added); i++) {
        const struct tsl_jsonval *a = tsl_jsonread_at(added, i);
        struct tsl_bytebpe_special *s = &d->specials[d->nspecials++];
        int64_t id = 0;
        (void)tsl_jsonread_str(tsl_jsonread_get(a, "content"), &s->text);
        (void)tsl_jsonread_int(tsl_jsonread_get(a, "id"), &id);
        (void)tsl_jsonread_bool(tsl_jsonread_get(a, "normalized"), &s->normalized);
        s->id = (uint32_t)id;
    }
    d->opts = (struct tsl_bytebpe_opts){ .vocab = d->vocab,
                                         .merges = d->merges.list,
                                         .nmerges = d->merges.n,
                                         .pattern = TSL_SPLITPAT_GPT2,
                                         .nfc = true,
                                         .specials = d->specials,
                                         .nspecials = d->nspecials };
}

static inline void bpedata_fini(struct bpedata *d)
{
    tsl_vocab_destroy(d->vocab);
    tsl_tokfile_merges_fini(&d->merges);
    tsl_jsonread_destroy(d->doc);
}

#endif
