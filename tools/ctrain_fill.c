/* ctrain_fill.c - `ctrain fill`: what a model says for each [MASK] of a text. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "ctrain_text.h"
#include "train/infer.h"

static struct {
    uint64_t top;
} given = { .top = 5 };

static const struct cli_opt opts[] = {
    CTRAIN_TEXT,
    CTRAIN_RESOURCES,
    CTRAIN_HEADING("Telling:"),
    CTRAIN_CALL('n', "top", "N", &given.top,
                "the N likeliest tokens for each mask; default: 5", ctrain_count),
    CTRAIN_OPT(0, "json", NULL, CLI_FLAG, &ctrain_text_given.json,
               "a line of JSON for each mask"),
    { 0 },
};

struct job {
    struct ctrain_text t;
    struct tsl_infer *infer;
    double *p;      /* [vocab] */
    uint32_t *best; /* [top] */
    int64_t mask;
};

/* The likeliest ids; of equal ones the smaller first. */
static size_t find_best(struct job *j, const float *logits, size_t vocab)
{
    size_t n = 0, most = given.top < vocab ? (size_t)given.top : vocab;
    for (size_t id = 0; id < vocab; id++) {
        if (n == most && logits[id] <= logits[j->best[n - 1]])
            continue;
        size_t at = n < most ? n++ : n - 1;
        for (; at > 0 && logits[id] > logits[j->best[at - 1]]; at--)
            j->best[at] = j->best[at - 1];
        j->best[at] = (uint32_t)id;
    }
    return n;
}

static int tell(struct job *j, uint64_t line, size_t mask, const float *logits,
                struct tsl_err *err)
{
    size_t vocab = (size_t)j->t.weights.config.vocab_size;
    size_t n = find_best(j, logits, vocab);
    bool json = ctrain_text_given.json;
    int rc = 0;
    tsl_infer_chances(logits, vocab, j->p, NULL);
    printf(json ? "{\"line\": %" PRIu64 ", \"mask\": %zu, \"candidates\": ["
                : "%" PRIu64 "\t%zu",
           line, mask);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char token[512];
        uint32_t id = j->best[i];
        int len = tsl_tokenizer_spell(j->t.tokenizer, id, token, sizeof token);
        len = len < 0 ? 0 : len < (int)sizeof token ? len : (int)sizeof token;
        if (json) {
            printf("%s{\"token\": ", i ? ", " : "");
            rc = ctrain_text_quote(token, (size_t)len, err);
            printf(", \"id\": %" PRIu32 ", \"p\": %.9g}", id, j->p[id]);
        } else {
            printf("\t%.*s\t%.6f", len, token, j->p[id]);
        }
    }
    fputs(json ? "]}\n" : "\n", stdout);
    return rc;
}

static int fill_line(struct job *j, uint64_t line, const char *text, size_t len,
                     struct tsl_err *err)
{
    int32_t *ids = NULL;
    uint32_t n;
    size_t count = 0;
    const float *logits = NULL;
    int rc = ctrain_text_encode(&j->t, text, len, true, &ids, &n, err);
    struct tsl_infer_place *place =
        rc == 0 ? tsl_mem_alloc((size_t)n + 1, sizeof *place, "masks", err) : NULL;
    if (rc == 0 && !place)
        rc = TSL_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        if (ids[i] == j->mask)
            place[count++] = (struct tsl_infer_place){ 0, i };
    struct tsl_infer_row row = { ids, n, n, n };
    if (rc == 0 && count) {
        struct tsl_err why = { 0 };
        rc = tsl_infer_run(j->infer, &row, 1, place, count, &logits, &why);
        if (rc < 0)
            rc = tsl_err_set(err, why.code, "line %" PRIu64 ": %s", line, why.msg);
    }
    size_t vocab = (size_t)j->t.weights.config.vocab_size;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = tell(j, line, i + 1, logits + i * vocab, err);
    if (rc == 0 && !count)
        rc = tsl_err_set(err, TSL_EUSAGE, "line %" PRIu64 " has no [MASK]: %s", line,
                         tsl_quote(text).s);
    tsl_mem_free(place);
    tsl_mem_free(ids);
    return rc;
}

/* 1 and a line of standard input, without its end and with a NUL; 0 behind the last. */
static int next_line(char **text, size_t *len, size_t *cap, struct tsl_err *err)
{
    int c;
    *len = 0;
    for (;;) {
        int rc = tsl_mem_grow(text, cap, *len + 1, 1, "a line", err);
        if (rc < 0)
            return rc;
        c = getchar();
        if (c == EOF || c == '\n')
            break;
        (*text)[(*len)++] = (char)c;
    }
    (*text)[*len] = '\0';
    if (c == EOF && ferror(stdin))
        return tsl_err_sys(err, errno, "standard input cannot be read");
    return c != EOF || *len;
}

static int fill_stdin(struct job *j, struct tsl_err *err)
{
    char *text = NULL;
    size_t cap = 0, len;
    uint64_t line = 0;
    int rc;
    while ((rc = next_line(&text, &len, &cap, err)) == 1)
        if ((rc = fill_line(j, ++line, text, len, err)) < 0)
            break;
    tsl_mem_free(text);
    return rc;
}

static int open_job(struct job *j, const char *path, struct tsl_err *err)
{
    int rc = ctrain_text_open(&j->t, path, err);
    if (rc < 0)
        return rc;
    const struct tsl_modelconfig *c = &j->t.weights.config;
    if (c->kind == TSL_MODEL_GPT2 || c->kind == TSL_MODEL_T5)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: a decoder has no masks to fill; ctrain sample goes on "
                           "with a text",
                           j->t.weights.path);
    j->mask = tsl_tokenizer_specials(j->t.tokenizer).mask;
    if (j->mask < 0)
        return tsl_err_set(err, TSL_EUSAGE, "%s has no [MASK]",
                           ctrain_text_given.vocabulary.vocab);
    struct tsl_infer_opts o = { .weights = &j->t.weights,
                                .bf16 = j->t.bf16,
                                .pool = j->t.pool,
                                .nthreads = j->t.nthreads };
    j->p = tsl_mem_alloc((size_t)c->vocab_size, sizeof *j->p, "chances", err);
    j->best = tsl_mem_alloc((size_t)given.top, sizeof *j->best, "candidates", err);
    return j->p && j->best ? tsl_infer_open(&j->infer, &o, err) : TSL_ENOMEM;
}

static int fill(char **operands, size_t n, struct tsl_err *err)
{
    struct job j = { .mask = -1 };
    if (n < 1 || n > 2)
        cli_misuse(true, n ? "one model and one text" : "which model? RUN or CHECKPOINT");
    if (!given.top || given.top > 100000)
        cli_misuse(true, "--top is from 1 to 100000");
    int rc = open_job(&j, operands[0], err);
    if (rc == 0)
        rc = n > 1 ? fill_line(&j, 1, operands[1], strlen(operands[1]), err)
                   : fill_stdin(&j, err);
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = tsl_err_sys(err, errno, "write error");
    tsl_infer_destroy(j.infer);
    tsl_mem_free(j.p);
    tsl_mem_free(j.best);
    ctrain_text_close(&j.t);
    return rc;
}

const struct ctrain_command ctrain_fill = {
    .name = "fill",
    .usage = "-V VOCAB [OPTION]... RUN|CHECKPOINT [TEXT]",
    .summary =
        "What a model says for each [MASK] of a text, or of each line of standard input.",
    .examples = "A line for each mask: the text's line, the mask's number in it, and "
                "tokens with\n"
                "their chances, tabs between them.\n"
                "\n"
                "Examples:\n"
                "  ctrain fill -V vocab run 'the capital of [MASK] is paris .'\n"
                "      1  1  france  0.931402  europe  0.018113 ...\n",
    .opts = opts,
    .run = fill,
};
