/* model.h - models: the face of the room.
 *
 * A family is one file (bert.c, gpt2.c, t5.c) that says which parameters there are, by the names
 * of public checkpoints, and records the forward computation.
 * Order: parameters in the order of the layers.
 * Memory: the parameters'; the graph's.
 * Threads: one owner. */
#ifndef TSL_MODEL_H
#define TSL_MODEL_H

#include "nn/modelconfig.h"
#include "tensor/graph.h"
#include "tensor/ops.h"

/* What is asked of a model.  Losses are summed. */
struct tsl_model_task {
    int64_t batch, seq; /* input is [batch, seq] */
    int64_t
        masked; /* places for tokens to be found out, of all of the batch; 0: no such loss */
    bool pairs; /* a loss of two classes on the first token: next sentence, or order */
    bool next;  /* a loss on the next token (labels) */
    int64_t target;          /* T5: length of what the decoder says */
    enum tsl_attn_mask mask; /* whom a token sees; ALL for encoders */
    bool docs;               /* tokens see their own document alone */
    bool positions;          /* position_ids are given; else 0, 1, ... */
    bool
        logits; /* instead of losses, the logits at `masked` places (or, with next, there) */
};

/* What the caller fills before each run: i32.  NULL where the task does not need it. */
struct tsl_model_inputs {
    struct tsl_tensor *input_ids;    /* [batch, seq] */
    struct tsl_tensor *segment_ids;  /* [batch, seq] */
    struct tsl_tensor *position_ids; /* [batch, seq] from 0 on, RoBERTa's too */
    struct tsl_tensor *lengths; /* [batch] tokens that are not padding, at the front */
    struct tsl_tensor *doc_ids; /* [batch, seq] */
    struct tsl_tensor *prefix;  /* [batch] */
    struct tsl_tensor *masked_positions; /* [masked] b * seq + t, or -1 */
    struct tsl_tensor *masked_labels;    /* [masked], negative where there is none */
    struct tsl_tensor *pair_labels;      /* [batch], negative where there is none */
    struct tsl_tensor *labels;           /* [batch, seq], negative where there is none */
    struct tsl_tensor *target_ids;       /* [batch, target] what the decoder is given */
    struct tsl_tensor *target_labels;    /* [batch, target] what it is to say */
    /* f32 scalars: what each loss's sum is divided by, as counted over all the batches of a
     * step.  0: the labels of this batch. */
    struct tsl_tensor *masked_count, *pair_count, *label_count;
};

/* Kept: they may be read after a run. */
struct tsl_model_outputs {
    struct tsl_tensor *embeddings; /* [batch, seq, hidden] after their norm; not kept */
    struct tsl_tensor *hidden;     /* [batch, seq, hidden] the last layer's; not kept */
    struct tsl_tensor *loss;       /* the sum of those below */
    struct tsl_tensor *masked_loss, *pair_loss, *label_loss;
    struct tsl_tensor *masked_right, *label_right; /* how many were found out */
    struct tsl_tensor *pair_logits;                /* [batch, 2] */
    struct tsl_tensor *logits; /* [masked or batch * seq, vocab] if asked for */
};

/* Adds the model's parameters, to be allocated by the caller.  TSL_EUSAGE for a config that
 * does not fit. */
int tsl_model_params(const struct tsl_modelconfig *c, struct tsl_params *p,
                     struct tsl_err *err);
/* Has it a head for pairs of segments?  BERT, UniLM and ALBERT have, as published. */
bool tsl_model_has_pairs(const struct tsl_modelconfig *c);
/* Makes the inputs and records the forward computation.  An error is the graph's, too. */
int tsl_model_record(const struct tsl_modelconfig *c, struct tsl_params *p,
                     struct tsl_graph *g, const struct tsl_model_task *task,
                     struct tsl_model_inputs *in, struct tsl_model_outputs *out,
                     struct tsl_err *err);
/* The name that a parameter goes by here, for one in somebody's checkpoint: older spellings
 * (gamma, beta, "transformer.") and doubles of tied weights.  name has room for 256 bytes.
 * false: to be ignored, as it holds nothing of its own. */
bool tsl_model_public_name(const struct tsl_modelconfig *c, const char *theirs,
                           char *name);
/* The name that a parameter of a model with c's groups (ours) has in a checkpoint with fewer, whose
 * number divides c's; 0: as many.  Layers that shared their weights there start equal here and
 * go their own ways (ALBERT "unshared").  theirs has room for 256 bytes; ours itself where it
 * belongs to no group. */
void tsl_model_unshare(const struct tsl_modelconfig *c, int64_t groups, const char *ours,
                       char *theirs);

#endif
