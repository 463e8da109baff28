/* bench_bert - MB/s of BERT's tokenizer on the lines of a text, one thread.
 *   bench_bert VOCAB TEXT [case=lower|keep] [rounds=5] [copies=1] [cpu=all|avx2|plain]
 *       [want=ids|marks|spans] [call=rows|row] [rows=256]
 * cold: a new coder each round; warm: the same again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/bertenc.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint8_t *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = malloc(*n + 64);
    if (!p || fread(p, 1, *n, f) != *n)
        exit(1);
    fclose(f);
    return p;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct tsl_err err = { 0 };
    bool lower = true, loop = false;
    unsigned rounds = 5, copies = 1, want = 0;
    size_t per_call = 256;
    enum tsl_bertenc_cpu cpu = TSL_BERTENC_CPU_ALL;
    for (int i = 3; i < argc; i++) {
        const char *a = argv[i];
        lower = strcmp(a, "case=keep") ? lower : false;
        if (!strncmp(a, "rounds=", 7))
            rounds = (unsigned)atoi(a + 7);
        if (!strncmp(a, "copies=", 7))
            copies = (unsigned)atoi(a + 7);
        if (!strncmp(a, "rows=", 5))
            per_call = (size_t)atoi(a + 5);
        if (!strncmp(a, "cpu=", 4))
            cpu = !strcmp(a + 4, "plain")  ? TSL_BERTENC_CPU_PLAIN
                  : !strcmp(a + 4, "avx2") ? TSL_BERTENC_CPU_AVX2
                                           : TSL_BERTENC_CPU_ALL;
        if (!strncmp(a, "want=", 5))
            want = !strcmp(a + 5, "marks")   ? TSL_WANT_MARKS
                   : !strcmp(a + 5, "spans") ? TSL_WANT_SPANS
                                             : 0;
        loop = loop || !strcmp(a, "call=row");
    }

    size_t n;
    uint8_t *text = slurp(argv[1], &n), *p = text, *end = text + n;
    struct tsl_vocab *v = tsl_vocab_create(&err);
    for (uint32_t id = 0; p < end; id++) {
        uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        tsl_vocab_add(v, id, (struct tsl_slice){ p, (size_t)(stop - p) }, &err);
        p = stop + 1;
    }
    free(text);
    static const char *const names[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
    struct tsl_bertenc_special specials[5];
    for (int i = 0; i < 5; i++) {
        specials[i].text =
            (struct tsl_slice){ (const uint8_t *)names[i], strlen(names[i]) };
        specials[i].id = (uint32_t)tsl_vocab_find(v, specials[i].text);
    }
    struct tsl_bertenc_opts o = {
        .norm = { .clean_text = true,
                  .handle_chinese_chars = true,
                  .strip_accents = lower,
                  .lowercase = lower },
        .unk = specials[1].id,
        .specials = specials,
        .nspecials = 5,
        .cpu = cpu,
    };
    double t = now();
    struct tsl_bertenc_model *m = tsl_bertenc_model_create(v, &o, &err);
    if (!m) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    t = now() - t;

    text = slurp(argv[2], &n);
    size_t nrows = 0, rows_cap = 1 << 20;
    struct tsl_row *rows = malloc(rows_cap * sizeof *rows);
    for (p = text, end = text + n; p < end && rows;) {
        uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        if (nrows == rows_cap)
            rows = realloc(rows, (rows_cap *= 2) * sizeof *rows);
        rows[nrows++] = (struct tsl_row){ (uint32_t)(p - text), (uint32_t)(stop - p) };
        p = stop + 1;
    }
    size_t *ends = malloc(nrows * sizeof *ends), tokens = 0;
    double *cold = malloc(rounds * sizeof *cold), *warm = malloc(rounds * sizeof *warm);
    struct tsl_tokens out;
    tsl_tokens_init(&out, want);
    for (unsigned r = 0; r < rounds; r++) {
        void *c = NULL;
        for (int again = 0; again < 2; again++) {
            double start = now();
            if (!c)
                c = tsl_bertenc_engine.coder_create(m, 48 << 20, &err);
            tokens = 0;
            for (unsigned k = 0; k < copies && c; k++)
                for (size_t i = 0; i < nrows; i += per_call) {
                    size_t some = nrows - i < per_call ? nrows - i : per_call, used;
                    tsl_tokens_reset(&out);
                    int rc = 0;
                    if (!loop)
                        rc = tsl_bertenc_engine.encode_rows(c, text, rows + i, some, &out,
                                                            ends, &err);
                    else
                        for (size_t j = i; j < i + some && rc == 0; j++)
                            rc = tsl_bertenc_engine.encode(
                                c, (struct tsl_slice){ text + rows[j].at, rows[j].len },
                                true, true, &used, &out, &err);
                    if (rc < 0) {
                        fprintf(stderr, "%s\n", err.msg);
                        return 1;
                    }
                    tokens += out.n;
                }
            (again ? warm : cold)[r] = now() - start;
        }
        tsl_bertenc_engine.coder_destroy(c);
    }
    qsort(cold, rounds, sizeof *cold, by_time);
    qsort(warm, rounds, sizeof *warm, by_time);
    double mb = 1e-6 * (double)n * copies;
    printf(
        "model %.1f ms; %.1f MB, %zu rows, %zu tokens (%.2f bytes each); cold %.0f MB/s "
        "(best %.0f), warm %.0f MB/s (best %.0f)\n",
        1e3 * t, mb, nrows * copies, tokens, 1e6 * mb / (double)tokens,
        mb / cold[rounds / 2], mb / cold[0], mb / warm[rounds / 2], mb / warm[0]);
    return 0;
}
