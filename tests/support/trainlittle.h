/* trainlittle.h - a little model with random numbers, and its batches: for tests of what is done
 * with models.
 * Memory: the parameters', freed by tsl_weights_close.
 * Threads: one. */
#ifndef TRAINLITTLE_H
#define TRAINLITTLE_H

#include <string.h>

#include "base/mem.h"
#include "support/test.h"
#include "train/weights.h"

/* preset: "bert-tiny", "gpt2-tiny"; numbers far enough apart that choices are clear. */
static inline void trainlittle_open(struct tsl_weights *w, const char *preset,
                                    int64_t vocab, uint64_t seed)
{
    struct tsl_err err = { 0 };
    *w = (struct tsl_weights){ .path = "little" };
    struct tsl_modelconfig *c = &w->config;
    assert_true(tsl_modelconfig_preset(c, preset));
    c->vocab_size = vocab;
    c->num_hidden_layers = c->num_hidden_groups = 1;
    c->hidden_size = c->embedding_size = 16;
    c->num_attention_heads = 2;
    c->intermediate_size = 32;
    c->max_position_embeddings = 40;
    c->initializer_range = .5;
    assert_ok(tsl_model_params(c, &w->params, &err), &err);
    assert_ok(tsl_params_alloc(&w->params, &err), &err);
    tsl_params_init(&w->params, seed);
    w->found = tsl_mem_alloc(w->params.n, sizeof *w->found, "parameters", &err);
    assert_non_null(w->found);
    memset(w->found, 1, w->params.n * sizeof *w->found);
}

#endif
