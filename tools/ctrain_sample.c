/* ctrain_sample.c - `ctrain sample`: a model goes on with a text. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ctrain_text.h"
#include "train/generate.h"

static struct {
    double temperature, top_p;
    uint64_t top_k, beams, length, samples, seed;
    bool next;
} given = { .temperature = -1, .length = 64, .samples = 1 };

static const struct cli_opt opts[] = {
    CTRAIN_TEXT,
    CTRAIN_HEADING("What is said:"),
    CTRAIN_CALL(0, "length", "N", &given.length,
                "tokens at most; default: 64, or until the text ends", ctrain_count),
    CTRAIN_CALL(0, "temperature", "X", &given.temperature,
                "draw, from chances to the power of 1/X; else the likeliest\n"
                "token is taken each time, unless the next two are given",
                ctrain_number),
    CTRAIN_CALL(0, "top-k", "N", &given.top_k, "draw from the N likeliest tokens alone",
                ctrain_count),
    CTRAIN_CALL(0, "top-p", "X", &given.top_p,
                "from the fewest that together have the chance X", ctrain_number),
    CTRAIN_CALL(0, "beam", "N", &given.beams,
                "the best text that a search with N beams finds", ctrain_count),
    CTRAIN_CALL('n', "samples", "N", &given.samples,
                "so many texts; of a search its N best", ctrain_count),
    CTRAIN_OPT('s', "seed", "N", CLI_COUNT, &given.seed,
               "the same N draws the same texts; default: 0"),
    CTRAIN_OPT(0, "next", NULL, CLI_FLAG, &given.next,
               "of encoders: they were trained on next tokens (clm); else\n"
               "a mask behind the text is found out, as of UniLM"),
    CTRAIN_RESOURCES,
    CTRAIN_HEADING("Telling:"),
    CTRAIN_OPT(0, "json", NULL, CLI_FLAG, &ctrain_text_given.json,
               "a line of JSON a text: text, ids, score"),
    { 0 },
};

static int tell(struct ctrain_text *t, const int32_t *prompt, uint32_t n,
                const struct tsl_generated *out, struct tsl_err *err)
{
    uint32_t said = out->n - out->ended;
    int32_t *all = tsl_mem_alloc((size_t)n + said, sizeof *all, "a text", err);
    if (!all)
        return TSL_ENOMEM;
    memcpy(all, prompt, n * sizeof *all);
    memcpy(all + n, out->ids, said * sizeof *all);
    int rc = ctrain_text_decode(t, all, n + said, err);
    tsl_mem_free(all);
    if (rc < 0)
        return rc;
    if (!ctrain_text_given.json) {
        fwrite(t->text, 1, t->len, stdout);
        putchar('\n');
        return 0;
    }
    printf("{\"text\": ");
    rc = ctrain_text_quote(t->text, t->len, err);
    printf(", \"ids\": [");
    for (uint32_t i = 0; i < out->n; i++)
        printf("%s%" PRId32, i ? ", " : "", out->ids[i]);
    printf("], \"ended\": %s, \"score\": %.9g}\n", out->ended ? "true" : "false",
           out->score);
    return rc;
}

/* What goes on, and how. */
static int generate_opts(struct ctrain_text *t, struct tsl_generate_opts *o,
                         struct tsl_err *err)
{
    struct tsl_special_tokens s = tsl_tokenizer_specials(t->tokenizer);
    bool decoder = t->weights.config.kind == TSL_MODEL_GPT2 || given.next;
    bool draws = given.temperature >= 0 || given.top_k || given.top_p > 0;
    *o = (struct tsl_generate_opts){
        .weights = &t->weights,
        .length = (uint32_t)given.length,
        .end = decoder ? s.eos : s.sep,
        .mask = decoder ? -1 : s.mask,
        .temperature = given.temperature >= 0 ? given.temperature : draws,
        .top_k = (uint32_t)given.top_k,
        .top_p = given.top_p,
        .seed = given.seed,
        .beams = (uint32_t)given.beams,
        .bf16 = t->bf16,
        .pool = t->pool,
        .nthreads = t->nthreads,
    };
    if (t->weights.config.kind == TSL_MODEL_T5)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: models of T5's kind are not sampled here",
                           t->weights.path);
    if (!decoder && s.mask < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has no [MASK], which a model of this kind finds out",
                           ctrain_text_given.vocabulary.vocab);
    return 0;
}

static int prompt_of(struct ctrain_text *t, const char *text, bool wrap, int32_t **ids,
                     uint32_t *n, struct tsl_err *err)
{
    struct tsl_special_tokens s = tsl_tokenizer_specials(t->tokenizer);
    int rc = ctrain_text_encode(t, text, strlen(text), wrap, ids, n, err);
    if (rc < 0 || *n)
        return rc;
    int64_t first = s.bos >= 0 ? s.bos : s.eos; /* as between documents */
    if (first < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "no prompt, and %s has no token that begins a text",
                           ctrain_text_given.vocabulary.vocab);
    (*ids)[(*n)++] = (int32_t)first;
    return 0;
}

/* Once, for however many texts. */
static void tell_window(uint32_t positions)
{
    static bool told;
    if (!told)
        cli_warn("the model sees %" PRIu32 " tokens at a time: of longer texts the last",
                 positions);
    told = true;
}

static int generate(struct ctrain_text *t, const char *text, struct tsl_err *err)
{
    struct tsl_generate_opts o;
    struct tsl_generate *g = NULL;
    struct tsl_generated out[TSL_GENERATE_BEAMS_MAX];
    int32_t *prompt = NULL;
    uint32_t n;
    size_t found = 0;
    int rc = generate_opts(t, &o, err);
    if (rc == 0)
        rc = prompt_of(t, text, o.mask >= 0, &prompt, &n, err);
    if (rc == 0)
        rc = tsl_generate_open(&g, &o, err);
    if (rc == 0 && o.mask < 0 && n + given.length - 1 > tsl_generate_positions(g))
        tell_window(tsl_generate_positions(g));
    if (rc == 0 && o.beams)
        rc = tsl_generate_beams(g, prompt, n, out, &found, err);
    for (size_t i = 0; rc == 0 && i < found && i < given.samples; i++)
        rc = tell(t, prompt, n, &out[i], err);
    for (uint64_t i = 0; rc == 0 && !o.beams && i < given.samples; i++) {
        rc = tsl_generate_sample(g, prompt, n, i, out, err);
        if (rc == 0)
            rc = tell(t, prompt, n, out, err);
    }
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = tsl_err_sys(err, errno, "write error");
    tsl_generate_destroy(g);
    tsl_mem_free(prompt);
    return rc;
}

static int sample(char **operands, size_t n, struct tsl_err *err)
{
    struct ctrain_text t = { .nthreads = 0 };
    if (n < 1 || n > 2)
        cli_misuse(true,
                   n ? "one model and one prompt" : "which model? RUN or CHECKPOINT");
    if (given.beams && (given.temperature >= 0 || given.top_k || given.top_p > 0))
        cli_misuse(true,
                   "a search draws nothing: --beam or --temperature, --top-k, --top-p");
    if (given.beams && given.samples > given.beams)
        cli_misuse(true, "a search with N beams finds no more than N texts");
    if (!given.length || given.length > INT32_MAX || given.top_k > INT32_MAX ||
        given.beams > TSL_GENERATE_BEAMS_MAX)
        cli_misuse(true, "--length is 1 or more, --beam at most %d",
                   TSL_GENERATE_BEAMS_MAX);
    int rc = ctrain_text_open(&t, operands[0], err);
    if (rc == 0)
        rc = generate(&t, n > 1 ? operands[1] : "", err);
    ctrain_text_close(&t);
    return rc;
}

const struct ctrain_command ctrain_sample = {
    .name = "sample",
    .usage = "-V VOCAB [OPTION]... RUN|CHECKPOINT [PROMPT]",
    .summary = "Let a model go on with a text.",
    .examples =
        "Examples:\n"
        "  ctrain sample -V gpt2 run 'Once upon a time' --length=100 --top-p=.9 -n 3\n"
        "      three texts; the same ones each time, others with another --seed\n"
        "  ctrain sample -V gpt2 run 'Once upon a time' --beam=4\n"
        "      the likeliest text that a search finds\n",
    .opts = opts,
    .run = sample,
};
