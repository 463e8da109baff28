/* trainmodel.h - a model's fixture: its parameters, one batch, and what came out of it.
 * Memory: what one fixture needs, freed by trainmodel_close.
 * Threads: one, and a pool's. */
#ifndef TRAINMODEL_H
#define TRAINMODEL_H

#include "nn/model.h"
#include "optim/optim.h"
#include "support/trainfix.h"

struct trainmodel {
    struct tsl_modelconfig c;
    struct tsl_params p;
    struct tsl_graph *g;
    struct tsl_pool *pool;
    struct tsl_model_task task;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    struct tsl_err err;
};

static inline int64_t trainmodel_meta(struct tsl_safetensors *s, const char *key)
{
    const char *v = tsl_safetensors_meta(s, key);
    return v ? atoll(v) : 0;
}

/* The sizes that the file's metadata tells. */
static inline void trainmodel_config(struct trainmodel *m, struct tsl_safetensors *s)
{
    const char *kind = tsl_safetensors_meta(s, "kind");
    tsl_modelconfig_preset(&m->c,
                           kind && !strcmp(kind, "gpt2") ? "gpt2-tiny" : "bert-tiny");
    m->c.vocab_size = trainmodel_meta(s, "V");
    m->c.num_hidden_layers = m->c.num_hidden_groups = trainmodel_meta(s, "L");
    m->c.hidden_size = m->c.embedding_size = trainmodel_meta(s, "H");
    m->c.num_attention_heads = trainmodel_meta(s, "A");
    m->c.intermediate_size = trainmodel_meta(s, "F");
    m->c.max_position_embeddings = trainmodel_meta(s, "P");
    m->c.hidden_dropout_prob = m->c.attention_probs_dropout_prob = 0;
    m->task.batch = trainmodel_meta(s, "B");
    m->task.seq = trainmodel_meta(s, "T");
}

static inline int trainmodel_load(struct trainmodel *m, struct tsl_safetensors *s)
{
    for (size_t i = 0; i < m->p.n; i++) {
        const struct tsl_safetensors_entry *e =
            tsl_safetensors_need(s, m->p.item[i].name, &m->err);
        if (!e || e->n != m->p.item[i].n)
            return e ? tsl_err_set(&m->err, TSL_EFORMAT, "%s has another size",
                                   m->p.item[i].name)
                     : TSL_EFORMAT;
        int rc = tsl_safetensors_read_f32(s, e, m->p.item[i].value, &m->err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static inline int trainmodel_ints(struct trainmodel *m, struct tsl_safetensors *s,
                                  const char *name, struct tsl_tensor *t)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_need(s, name, &m->err);
    return e ? tsl_safetensors_read_i32(s, e, tsl_tensor_i32(t), &m->err) : TSL_EFORMAT;
}

static inline int trainmodel_batch(struct trainmodel *m, struct tsl_safetensors *s)
{
    int rc = trainmodel_ints(m, s, "input_ids", m->in.input_ids);
    int32_t *lengths = tsl_tensor_i32(m->in.lengths);
    int64_t n = m->task.batch * m->task.seq;
    if (rc == 0 && m->c.kind == TSL_MODEL_GPT2) {
        for (int64_t b = 0; b < m->task.batch; b++)
            lengths[b] = (int32_t)m->task.seq;
        return trainmodel_ints(m, s, "labels", m->in.labels);
    }
    const struct tsl_safetensors_entry *e =
        tsl_safetensors_need(s, "attention_mask", &m->err);
    int32_t *mask = calloc((size_t)n, sizeof *mask);
    rc = rc < 0 || !e ? TSL_EFORMAT : tsl_safetensors_read_i32(s, e, mask, &m->err);
    for (int64_t i = 0; i < n; i++)
        lengths[i / m->task.seq] += mask[i];
    free(mask);
    if (rc == 0)
        rc = trainmodel_ints(m, s, "token_type_ids", m->in.segment_ids);
    if (rc == 0)
        rc = trainmodel_ints(m, s, "masked_positions", m->in.masked_positions);
    if (rc == 0)
        rc = trainmodel_ints(m, s, "masked_labels", m->in.masked_labels);
    if (rc == 0)
        rc = trainmodel_ints(m, s, "next_sentence_label", m->in.pair_labels);
    return rc;
}

/* One of DIR's files. */
static inline struct tsl_safetensors *trainmodel_file(struct trainmodel *m,
                                                      const char *dir, const char *name)
{
    char path[4096];
    struct tsl_safetensors *s;
    snprintf(path, sizeof path, "%s/%s.safetensors", dir, name);
    return tsl_safetensors_open(&s, path, &m->err) < 0 ? NULL : s;
}

static inline void trainmodel_close(struct trainmodel *m)
{
    tsl_pool_destroy(m->pool);
    tsl_graph_destroy(m->g);
    tsl_params_fini(&m->p);
}

/* Parameters and batch in place, forward and backward recorded. */
static inline int trainmodel_open(struct trainmodel *m, const char *dir,
                                  unsigned nthreads, const struct tsl_graph_opts *o)
{
    *m = (struct trainmodel){ 0 };
    struct tsl_safetensors *s = trainmodel_file(m, dir, "model");
    struct tsl_safetensors *batch = s ? trainmodel_file(m, dir, "batch") : NULL;
    int rc = batch ? 0 : TSL_EFORMAT;
    if (rc == 0) {
        trainmodel_config(m, s);
        const struct tsl_safetensors_entry *e =
            tsl_safetensors_find(batch, "masked_positions");
        m->task.masked = e ? (int64_t)e->n : 0;
        m->task.pairs = e;
        m->task.next = !e;
        rc = tsl_model_params(&m->c, &m->p, &m->err);
    }
    if (rc == 0)
        rc = tsl_params_alloc(&m->p, &m->err);
    if (rc == 0)
        rc = trainmodel_load(m, s);
    if (rc == 0)
        rc = tsl_graph_create(&m->g, o, &m->err);
    if (rc == 0)
        rc = tsl_model_record(&m->c, &m->p, m->g, &m->task, &m->in, &m->out, &m->err);
    if (rc == 0)
        rc = tsl_graph_derive(m->g, m->out.loss, &m->err);
    tsl_graph_keep(m->g, m->out.embeddings);
    tsl_graph_keep(m->g, m->out.hidden);
    if (rc == 0)
        rc = tsl_graph_plan(m->g, nthreads, &m->err);
    if (rc == 0)
        rc = trainmodel_batch(m, batch);
    if (rc == 0)
        rc = tsl_pool_create(&m->pool, nthreads, &m->err);
    tsl_safetensors_close(s);
    tsl_safetensors_close(batch);
    return rc;
}

/* The numbers of a parameter that a comparison leaves out: key biases have no influence, so
 * that an optimizer makes steps of their rounding noise. */
static inline bool trainmodel_noise(const struct tsl_param *p, size_t i)
{
    size_t n = p->n;
    if (strstr(p->name, "attention.self.key.bias"))
        return true;
    return strstr(p->name, "attn.c_attn.bias") && i >= n / 3 && i < 2 * n / 3;
}

/* The optimizers of the fixtures' five steps. */
static inline struct tsl_optim_opts trainmodel_optim(const char *name)
{
    struct tsl_optim_opts o;
    if (!strcmp(name, "adamw5"))
        return tsl_optim_defaults(TSL_OPTIM_ADAMW);
    o = tsl_optim_defaults(TSL_OPTIM_ADAFACTOR);
    o.factor_min = 1;
    return o;
}

#endif
