/* fuzz_trainbatch - samples of any numbers as a batch for a model: refused with a message, or such
 * that the model has all that it asks for.
 *
 *   byte 0   the kind of training; then samples: of its six lists how many numbers, and those */
#include "support/fuzzfile.h"
#include "train/trainbatch.h"
#include "train/trainfeed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 2, TOKENS = 24, MASKS = 8, OUTS = 8, CAP = 32 };

struct bytes {
    const uint8_t *p;
    size_t n;
};

static uint32_t next(struct bytes *b)
{
    if (b->n == 0)
        return 0;
    b->n--;
    return *b->p++;
}

/* 255: a large one. */
static uint32_t number(struct bytes *b, uint32_t large)
{
    uint32_t x = next(b);
    return x == 255 ? large : x;
}

/* What readers give (fuzz_samples): parts that fit together, and any ids. */
static void fill(struct tsl_sample *s, struct bytes *b)
{
    tsl_sample_clear(s, 0);
    s->n = next(b) % (CAP + 1);
    s->nmasked = next(b) % (CAP + 1);
    s->nouts = next(b) % (CAP + 1);
    s->nends = next(b) % (s->n + 1);
    s->first = next(b) % (s->n + 1);
    s->prefix = next(b) % (s->n + 1);
    s->label = (uint8_t)next(b);
    s->kind = (uint8_t)(next(b) % (TSL_SAMPLE_PREFIX + 1));
    s->has_positions = next(b) & 1;
    for (uint32_t i = 0; i < s->n; i++) {
        s->ids[i] = number(b, UINT32_MAX);
        s->positions[i] = number(b, TSL_SAMPLE_TOKENS_MAX - 1);
    }
    for (uint32_t i = 0; i < s->nmasked; i++) {
        s->places[i] = number(b, UINT32_MAX);
        s->targets[i] = number(b, INT32_MAX);
    }
    for (uint32_t i = 0; i < s->nouts; i++)
        s->outs[i] = number(b, INT32_MAX);
    for (uint32_t i = 0, at = 0; i < s->nends; i++)
        s->ends[i] = at += next(b) % (s->n - at + 1);
}

/* What kernels take for granted. */
static void check(const struct tsl_trainbatch *b, const struct tsl_model_task *t,
                  const struct tsl_modelconfig *c)
{
    const struct tsl_trainbatch_shape *s = &b->shape;
    for (uint32_t i = 0; i < s->rows_max * s->tokens_max; i++) {
        must(b->input_ids[i] >= 0 && b->input_ids[i] < c->vocab_size);
        must(b->segment_ids[i] >= 0 && b->segment_ids[i] < c->type_vocab_size);
        must(b->position_ids[i] >= 0);
        must(!t->positions || b->position_ids[i] < c->max_position_embeddings);
        must(!t->next || b->labels[i] < c->vocab_size);
    }
    for (uint32_t i = 0; t->masked && i < b->nmasked; i++) {
        must(b->masked_positions[i] >= 0 && b->masked_labels[i] < c->vocab_size);
        must((uint32_t)b->masked_positions[i] < s->rows_max * s->tokens_max);
    }
    for (uint32_t i = 0; i < s->rows_max * s->outs_max; i++)
        must(b->decoder_ids[i] >= 0 && b->decoder_ids[i] < c->vocab_size &&
             b->decoder_labels[i] < c->vocab_size);
    for (uint32_t i = 0; i < s->rows_max; i++) {
        must(b->lengths[i] >= 0 && b->lengths[i] <= (int32_t)s->tokens_max);
        must(b->prefix[i] >= 0 && (!t->pairs || b->nsp_labels[i] < 2));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = { data, size };
    const struct tsl_trainbatch_shape shape = {
        .kind = (enum tsl_train_kind)(next(&in) % TSL_NTRAIN_KINDS),
        .rows_max = ROWS,
        .tokens_max = TOKENS,
        .masks_max = MASKS,
        .outs_max = OUTS,
    };
    const struct tsl_model_task task = { .batch = ROWS,
                                         .seq = TOKENS,
                                         .masked = ROWS * MASKS,
                                         .pairs = true,
                                         .next = true,
                                         .positions = true,
                                         .target = OUTS };
    struct tsl_trainbatch b;
    struct tsl_sample s;
    struct tsl_modelconfig c;
    struct tsl_err err = { 0 };
    if (size > 4096)
        return 0;
    must(tsl_modelconfig_preset(&c, "bert-tiny"));
    c.vocab_size = 200;
    c.max_position_embeddings = 80;
    must(tsl_trainbatch_init(&b, &shape, &err) == 0 &&
         tsl_sample_init(&s, CAP, &err) == 0);
    int rc = 0;
    for (unsigned row = 0; row < ROWS && rc == 0 && in.n > 0; row++) {
        fill(&s, &in);
        rc = tsl_trainbatch_put(&b, &s, &err);
        must_tell(rc, &err);
    }
    if (rc == 0) {
        rc = tsl_trainfeed_check(&b, &task, &c, &err);
        must_tell(rc, &err);
    }
    if (rc == 0)
        check(&b, &task, &c);
    tsl_sample_fini(&s);
    tsl_trainbatch_fini(&b);
    return 0;
}
