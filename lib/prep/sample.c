#include "prep/sample.h"

#include "base/mem.h"

int tsl_sample_init(struct tsl_sample *s, uint32_t cap, struct tsl_err *err)
{
    *s = (struct tsl_sample){ .cap = cap, .label = TSL_SAMPLE_NO_LABEL };
    s->ids = tsl_mem_alloc(cap, 4, "a sample", err);
    s->starts = tsl_mem_alloc(cap, 1, "a sample", err);
    s->places = tsl_mem_alloc(cap, 4, "a sample", err);
    s->targets = tsl_mem_alloc(cap, 4, "a sample", err);
    s->ends = tsl_mem_alloc(cap, 4, "a sample", err);
    s->positions = tsl_mem_alloc(cap, 4, "a sample", err);
    s->outs = tsl_mem_alloc(cap, 4, "a sample", err);
    if (s->ids && s->starts && s->places && s->targets && s->ends && s->positions &&
        s->outs)
        return 0;
    tsl_sample_fini(s);
    return TSL_ENOMEM;
}

void tsl_sample_fini(struct tsl_sample *s)
{
    tsl_mem_free(s->ids);
    tsl_mem_free(s->starts);
    tsl_mem_free(s->places);
    tsl_mem_free(s->targets);
    tsl_mem_free(s->ends);
    tsl_mem_free(s->positions);
    tsl_mem_free(s->outs);
    *s = (struct tsl_sample){ 0 };
}

void tsl_sample_clear(struct tsl_sample *s, uint64_t address)
{
    s->address = address;
    s->n = s->first = s->prefix = s->nmasked = s->nends = s->nouts = 0;
    s->label = TSL_SAMPLE_NO_LABEL;
    s->kind = TSL_SAMPLE_BOTH_WAYS;
    s->has_positions = false;
}
