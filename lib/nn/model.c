#include "nn/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/families.h"

static void write_model(struct tsl_layers *l, const struct tsl_model_task *t,
                        const struct tsl_model_inputs *in, struct tsl_model_outputs *out)
{
    switch (l->c->kind) {
    case TSL_MODEL_GPT2: tsl_gpt2_write(l, t, in, out); break;
    case TSL_MODEL_T5: tsl_t5_write(l, t, in, out); break;
    default: tsl_encoder_write(l, t, in, out); break;
    }
}

int tsl_model_params(const struct tsl_modelconfig *c, struct tsl_params *p,
                     struct tsl_err *err)
{
    int rc = tsl_modelconfig_check(c, err);
    if (rc < 0)
        return rc;
    struct tsl_layers l = { .c = c, .p = p, .err = err };
    write_model(&l, &(struct tsl_model_task){ 0 }, &(struct tsl_model_inputs){ 0 },
                &(struct tsl_model_outputs){ 0 });
    return l.rc;
}

static struct tsl_tensor *ints(struct tsl_graph *g, const char *name, unsigned rank,
                               int64_t a, int64_t b)
{
    return tsl_graph_input(g, name, TSL_I32, rank, (int64_t[]){ a, b });
}

static struct tsl_tensor *count(struct tsl_graph *g, const char *name)
{
    return tsl_graph_input(g, name, TSL_F32, 0, NULL);
}

static void make_inputs(const struct tsl_modelconfig *c, const struct tsl_model_task *t,
                        struct tsl_graph *g, struct tsl_model_inputs *in)
{
    int64_t b = t->batch, n = t->seq;
    *in = (struct tsl_model_inputs){ .input_ids = ints(g, "input_ids", 2, b, n),
                                     .lengths = ints(g, "lengths", 1, b, 0) };
    if (c->type_vocab_size > 0 || t->mask == TSL_ATTN_UNILM)
        in->segment_ids = ints(g, "segment_ids", 2, b, n);
    if (t->positions)
        in->position_ids = ints(g, "position_ids", 2, b, n);
    if (t->docs)
        in->doc_ids = ints(g, "doc_ids", 2, b, n);
    if (t->mask == TSL_ATTN_PREFIX)
        in->prefix = ints(g, "prefix", 1, b, 0);
    if (t->masked)
        in->masked_positions = ints(g, "masked_positions", 1, t->masked, 0);
    if (t->target)
        in->target_ids = ints(g, "target_ids", 2, b, t->target);
    if (t->logits)
        return;
    if (t->masked) {
        in->masked_labels = ints(g, "masked_labels", 1, t->masked, 0);
        in->masked_count = count(g, "masked_count");
    }
    if (t->pairs) {
        in->pair_labels = ints(g, "pair_labels", 1, b, 0);
        in->pair_count = count(g, "pair_count");
    }
    if (t->target)
        in->target_labels = ints(g, "target_labels", 2, b, t->target);
    else if (t->next)
        in->labels = ints(g, "labels", 2, b, n);
    if (t->next || t->target)
        in->label_count = count(g, "label_count");
}

/* a + b, where either may be missing. */
static struct tsl_tensor *sum(struct tsl_graph *g, struct tsl_tensor *a,
                              struct tsl_tensor *b)
{
    return !a ? b : !b ? a : tsl_ops_add(g, a, b);
}

int tsl_model_record(const struct tsl_modelconfig *c, struct tsl_params *p,
                     struct tsl_graph *g, const struct tsl_model_task *task,
                     struct tsl_model_inputs *in, struct tsl_model_outputs *out,
                     struct tsl_err *err)
{
    *out = (struct tsl_model_outputs){ 0 };
    int64_t positions = tsl_modelconfig_positions(c);
    if (task->seq > positions)
        return tsl_err_set(err, TSL_EUSAGE,
                           "samples of %lld tokens, but the model has %lld positions",
                           (long long)task->seq, (long long)positions);
    make_inputs(c, task, g, in);
    struct tsl_layers l = { .c = c, .p = p, .g = g, .err = err };
    write_model(&l, task, in, out);
    out->loss = sum(g, sum(g, out->masked_loss, out->pair_loss), out->label_loss);
    struct tsl_tensor *kept[] = { out->loss,        out->masked_loss,  out->pair_loss,
                                  out->label_loss,  out->masked_right, out->label_right,
                                  out->pair_logits, out->logits };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        tsl_graph_keep(g, kept[i]);
    return 0;
}

bool tsl_model_has_pairs(const struct tsl_modelconfig *c)
{
    return c->kind != TSL_MODEL_GPT2 && c->kind != TSL_MODEL_T5 &&
           tsl_encoder_has_pairs(c);
}

bool tsl_model_public_name(const struct tsl_modelconfig *c, const char *theirs,
                           char *name)
{
    switch (c->kind) {
    case TSL_MODEL_GPT2: return tsl_gpt2_public_name(c, theirs, name);
    case TSL_MODEL_T5: return tsl_t5_public_name(c, theirs, name);
    default: return tsl_encoder_public_name(c, theirs, name);
    }
}

void tsl_model_unshare(const struct tsl_modelconfig *c, int64_t groups, const char *ours,
                       char *theirs)
{
    static const char stem[] = "albert.encoder.albert_layer_groups.";
    char *rest;
    snprintf(theirs, TSL_LAYERS_NAME, "%s", ours);
    if (!groups || strncmp(ours, stem, sizeof stem - 1) != 0)
        return;
    int64_t group = strtoll(ours + sizeof stem - 1, &rest, 10);
    snprintf(theirs, TSL_LAYERS_NAME, "%s%" PRId64 "%s", stem,
             group * groups / c->num_hidden_groups, rest);
}
