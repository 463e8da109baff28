/* families.h - what each family of models is to model.c.
 * Order: as recorded.
 * Memory: the graph's.
 * Threads: one owner. */
#ifndef TSL_FAMILIES_H
#define TSL_FAMILIES_H

#include "nn/layers.h"

/* Adds the parameters (l->g NULL), all of them whatever the task, or records the forward
 * computation and sets the losses that the task asks for; their sum is model.c's. */
void tsl_encoder_write(struct tsl_layers *l, const struct tsl_model_task *t,
                       const struct tsl_model_inputs *in, struct tsl_model_outputs *out);
void tsl_gpt2_write(struct tsl_layers *l, const struct tsl_model_task *t,
                    const struct tsl_model_inputs *in, struct tsl_model_outputs *out);
void tsl_t5_write(struct tsl_layers *l, const struct tsl_model_task *t,
                  const struct tsl_model_inputs *in, struct tsl_model_outputs *out);

/* tsl_model_has_pairs */
bool tsl_encoder_has_pairs(const struct tsl_modelconfig *c);

/* tsl_model_public_name, family by family. */
bool tsl_encoder_public_name(const struct tsl_modelconfig *c, const char *theirs,
                             char *name);
bool tsl_gpt2_public_name(const struct tsl_modelconfig *c, const char *theirs,
                          char *name);
bool tsl_t5_public_name(const struct tsl_modelconfig *c, const char *theirs, char *name);

#endif
