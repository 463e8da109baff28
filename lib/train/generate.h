/* generate.h - text that goes on, token by token: greedy, drawn, or by beam search.
 *
 * The whole row is computed anew for each token (infer.h).
 * A decoder (or an encoder that saw the left alone) says the next token at the last place. With
 * opts.mask, as of UniLM, a mask is put behind the row and found out: the prompt is seen by all,
 * what is generated from left to right, as the second segment.
 * Order: draw i of sample s is a pure function of (seed, s, i), so a sample does not depend on how
 *   many others were asked for.  Of equal logits the smaller id comes first.
 * Memory: 24 bytes an id, and the rows.
 * Threads: one owner; the given pool. */
#ifndef TSL_GENERATE_H
#define TSL_GENERATE_H

#include "train/infer.h"

struct tsl_generate_opts {
    const struct tsl_weights *weights; /* lent for its life, as the pool */
    uint32_t length;                   /* new tokens at most */
    int64_t end;                       /* the id that ends a text; -1: none */
    int64_t mask;                      /* the id to be found out; -1: next tokens */
    double temperature;                /* 0: greedy */
    uint32_t top_k;                    /* the likeliest alone are drawn from; 0: all */
    double top_p; /* the likeliest that together have it; 0 or 1: all */
    uint64_t seed;
    uint32_t beams; /* 0: no beam search */
    bool bf16;
    struct tsl_pool *pool;
    unsigned nthreads;
};

enum { TSL_GENERATE_BEAMS_MAX = 64 };

/* What came out; lent until the next call. */
struct tsl_generated {
    const int32_t *ids; /* [n] without the prompt; the end, if it was said, is the last */
    uint32_t n;
    bool ended;
    double score; /* sum of the logarithms of the chances that the model gave them */
};

struct tsl_generate;

/* TSL_EUSAGE for options that mean nothing. */
int tsl_generate_open(struct tsl_generate **g, const struct tsl_generate_opts *o,
                      struct tsl_err *err);
/* NULL is fine. */
void tsl_generate_destroy(struct tsl_generate *g);

/* Tokens that the model sees at a time.  A text that says the next token and grows longer goes on
 * by the last of them alone, which are then at the first positions. */
uint32_t tsl_generate_positions(const struct tsl_generate *g);

/* One text behind the prompt, of at least one token.  TSL_EUSAGE where the model has no places for
 * prompt and length and a mask is found out, and as tsl_infer_run. */
int tsl_generate_sample(struct tsl_generate *g, const int32_t *prompt, uint32_t n,
                        uint64_t sample, struct tsl_generated *out, struct tsl_err *err);

/* The best texts by beam search, at most opts.beams of them, the best first, in out; *nout of
 * them.  Scores are not divided by length.  A text that has ended stays in the running to the
 * last: the search ends when none that goes on can be better than it. */
int tsl_generate_beams(struct tsl_generate *g, const int32_t *prompt, uint32_t n,
                       struct tsl_generated *out, size_t *nout, struct tsl_err *err);

struct tsl_generate_choice {
    uint32_t id;
    double p;
};

/* What is drawn from: of the n logits divided by temperature (above 0) the chances, of them the
 * top_k largest, of them the fewest that have top_p of what is left; p adds up to 1, the largest
 * first.  How many, in c, which has room for n. */
size_t tsl_generate_choices(const float *logits, size_t n, double temperature,
                            uint32_t top_k, double top_p, struct tsl_generate_choice *c);

#endif
