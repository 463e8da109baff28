/* fuzz_tokfile - arbitrary bytes as a vocabulary file of each kind: read, or refused with a
 * message.  A tokenizer.json that is read encodes and decodes what stands behind a NUL.
 * The first byte says what kind. */
#include "support/fuzzmodel.h"

#include "base/mem.h"
#include "text/hfpipe.h"
#include "text/tokfile_bert.h"
#include "text/tokfile_gpt2.h"
#include "text/tokfile_hf.h"
#include "text/tokfile_tiktoken.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void told(int rc, const struct tsl_err *err)
{
    must(rc == 0 || (err->code == rc && err->msg[0] && strlen(err->msg) < 1000));
}

static void bert(struct tsl_slice file, unsigned rules)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v;
    int rc = tsl_tokfile_bert_parse(&v, file, "f", (enum tsl_rules)(rules % 3), &err);
    told(rc, &err);
    if (rc < 0)
        return;
    (void)tsl_tokfile_bert_specials(v);
    (void)tsl_tokfile_bert_cased(v);
    tsl_vocab_destroy(v);
}

static void gpt2(struct tsl_slice file, struct tsl_slice merges)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_merges m = { .n = 0 };
    struct tsl_vocab *v;
    int rc = tsl_tokfile_gpt2_vocab(&v, file, "f", &err);
    told(rc, &err);
    if (rc < 0)
        return;
    rc = tsl_tokfile_gpt2_merges(&m, v, merges, "m", &err);
    told(rc, &err);
    for (size_t i = 0; rc == 0 && i < m.n; i++)
        must(tsl_vocab_token(v, m.list[i].merged).data != NULL);
    struct tsl_vocab *bytes = tsl_tokfile_gpt2_bytes(v, &err);
    must(bytes != NULL);
    tsl_vocab_destroy(bytes);
    tsl_tokfile_merges_fini(&m);
    tsl_vocab_destroy(v);
}

static void tiktoken(struct tsl_slice file)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_tiktoken t;
    struct tsl_tokfile_merges m = { .n = 0 };
    (void)tsl_tokfile_tiktoken_is(file);
    int rc = tsl_tokfile_tiktoken_parse(&t, file, "f", "cl100k", &err);
    told(rc, &err);
    if (rc < 0)
        return;
    rc = tsl_tokfile_tiktoken_merges(&m, t.vocab, "f", &err);
    told(rc, &err);
    tsl_tokfile_merges_fini(&m);
    tsl_vocab_destroy(t.vocab);
}

static void decode(const struct tsl_hfpipe *p, const struct tsl_tokens *t)
{
    struct tsl_err err = { 0 };
    struct tsl_detok_list list = { .n = 0 }, scratch = { .n = 0 };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        struct tsl_slice s = tsl_hfpipe_token(p, t->ids[i]);
        must(s.data != NULL && t->ids[i] < tsl_hfpipe_size(p));
        rc = tsl_detok_list_add(&list, s, &err);
    }
    rc = rc < 0 ? rc : tsl_detok_run(p->detok, &list, &scratch, false, &err);
    told(rc, &err);
    tsl_detok_list_fini(&list);
    tsl_detok_list_fini(&scratch);
}

static void wrap(const struct tsl_hfpipe *p, const struct tsl_tokens *t)
{
    struct tsl_postproc_opts o = { .truncation =
                                       p->has_truncation ? &p->truncation : NULL };
    struct tsl_err err = { 0 };
    struct tsl_tokens out;
    uint8_t *types = NULL;
    size_t cap = 0;
    /* what is asked for may be more than there is memory */
    if (p->has_padding && p->padding.fixed < 1000 && p->padding.multiple < 1000)
        o.padding = &p->padding;
    for (int pair = 0; pair < 2; pair++) {
        struct tsl_encoding tree = { .n = 0 };
        tsl_tokens_init(&out, TSL_WANT_SPANS | TSL_WANT_MARKS);
        int rc = tsl_postproc_wrap(&p->postproc, t, pair ? t : NULL, &o, &out, &types,
                                   &cap, &err);
        told(rc, &err);
        int rc2 = t->n < 30 ? tsl_postproc_tree(&p->postproc, t, pair ? t : NULL, &o,
                                                &tree, NULL)
                            : -1;
        if (rc2 == 0) {
            must(rc == 0 && tree.n == out.n);
            for (size_t i = 0; i < out.n; i++)
                must(tree.items[i].id == out.ids[i]);
        }
        err = (struct tsl_err){ 0 };
        tsl_encoding_fini(&tree);
        tsl_tokens_fini(&out);
    }
    tsl_mem_free(types);
}

static void hf(struct tsl_slice file, struct tsl_slice text)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_hf_notes notes;
    struct tsl_hfpipe *p;
    struct tsl_tokens t;
    size_t used = 0;
    int rc = tsl_tokfile_hf_parse(&p, file, "f", &notes, &err);
    told(rc, &err);
    if (rc < 0)
        return;
    void *coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
    must(coder != NULL);
    tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    rc = tsl_hfpipe_engine.encode(coder, text, true, true, &used, &t, &err);
    told(rc, &err);
    if (rc == 0) {
        must(used == text.len);
        fuzz_check(&t, text);
        decode(p, &t);
        wrap(p, &t);
    }
    tsl_tokens_fini(&t);
    tsl_hfpipe_engine.coder_destroy(coder);
    tsl_hfpipe_destroy(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000)
        return 0;
    uint8_t *copy = malloc(size); /* so that its end is the memory's */
    must(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    struct tsl_slice file = { copy, size - 1 }, rest = { NULL, 0 };
    const uint8_t *nul = memchr(file.data, 0, file.len);
    if (nul && data[0] % 4 >= 2) {
        file.len = (size_t)(nul - copy);
        rest = (struct tsl_slice){ nul + 1, size - 2 - file.len };
    }
    switch (data[0] % 4) {
    case 0: bert(file, data[0] / 4); break;
    case 1: tiktoken(file); break;
    case 2: gpt2(file, rest); break;
    case 3: hf(file, rest); break;
    }
    free(copy);
    return 0;
}
