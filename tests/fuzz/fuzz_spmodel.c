/* fuzz_spmodel - arbitrary bytes as a .model: read or refused; what is read is written and
 * read again alike, and encodes text as the slow encoder does, however it is cut.
 * The first 8 bytes are the seed of the text; without more, also of the model. */
#include <stdlib.h>
#include <string.h>

#include "support/slowspm.h"
#include "support/spmdata.h"
#include "support/stretches.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* Pieces that the model has, as a text of their own: random text would not meet them. */
static struct tsl_slice own_text(const struct tsl_tokfile_spm *m, struct gen *g)
{
    uint8_t *p = malloc(1 << 12);
    size_t n = 0;
    must(p != NULL);
    for (int i = 0; i < 12; i++) {
        struct tsl_slice t = m->pieces[gen_below(g, m->npieces)].text;
        size_t len = t.len < 200 ? t.len : 200;
        memcpy(p + n, t.data, len);
        n += len;
        if (gen_below(g, 2))
            p[n++] = ' ';
    }
    return (struct tsl_slice){ p, n };
}

static void encode(const struct tsl_spm *m, struct tsl_slice text, struct gen *g)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens slow, fast;
    void *coder = tsl_spm_engine.coder_create(m, 4 << 20, &err);
    must(coder != NULL);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    slow_spm(tsl_spm_file(m), text, &slow);
    for (unsigned i = 0; i < 4; i++) {
        tsl_tokens_init(&fast, i % 2 ? TSL_WANT_SPANS | TSL_WANT_MARKS : 0);
        encode_stretches(&tsl_spm_engine, coder, text, i < 2 ? 0 : 40, g, &fast);
        must(spmdata_equal(&slow, &fast));
        tsl_tokens_fini(&fast);
    }
    uint8_t *decoded = NULL;
    size_t len = 0, cap = 0;
    must(tsl_spm_decode(m, slow.ids, slow.n, &decoded, &len, &cap, &err) == 0);
    tsl_mem_free(decoded);
    tsl_tokens_fini(&slow);
    tsl_spm_engine.coder_destroy(coder);
}

static void again(const struct tsl_tokfile_spm *m)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *copy;
    uint8_t *bytes;
    size_t n;
    must(tsl_tokfile_spm_write(&bytes, &n, m->pieces, m->npieces, &m->options, &err) ==
         0);
    must(tsl_tokfile_spm_read(&copy, (struct tsl_slice){ bytes, n }, "copy", &err) == 0);
    must(copy->npieces == m->npieces);
    for (size_t i = 0; i < m->npieces; i++)
        must(copy->pieces[i].text.len == m->pieces[i].text.len &&
             copy->pieces[i].type == m->pieces[i].type &&
             copy->pieces[i].score == m->pieces[i].score);
    tsl_mem_free(bytes);
    tsl_tokfile_spm_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_spm *file = NULL;
    struct tsl_spm *m;
    struct gen g = { 0 };
    if (size < 8 || size > 1 << 14)
        return 0;
    memcpy(&g.state, data, 8);
    if (size == 8) {
        struct spmdata d = spmdata_random(&g);
        file = spmdata_file(&d);
        spmdata_end(&d);
    } else {
        struct tsl_slice bytes = { data + 8, size - 8 };
        tsl_tokfile_spm_looks_like(bytes);
        int rc = tsl_tokfile_spm_read(&file, bytes, "a model", &err);
        must((rc == 0) == (file != NULL) && rc == err.code);
        if (!file)
            return 0;
    }
    again(file);
    if (tsl_spm_create(&m, file, &err) < 0) {
        must(err.code == TSL_EFORMAT); /* its character map */
        return 0;
    }
    struct tsl_slice own = own_text(file, &g), any = spmdata_text(&g, 40);
    encode(m, own, &g);
    encode(m, any, &g);
    free((void *)(uintptr_t)own.data);
    free((void *)(uintptr_t)any.data);
    tsl_spm_destroy(m);
    return 0;
}
