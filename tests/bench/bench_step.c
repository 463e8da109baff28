/* bench_step - how fast a model is trained: whole steps on made-up batches, as
 * tests/bench/bench_torch.py runs them in PyTorch.
 *
 *   bench_step [--model bert-mini|bert-small|gpt2-l6|PRESET] [--batch N] [--seq N]
 *              [--masked N] [--dtype f32|bf16] [--steps N] [--dropout P] [-j N] [--profile]
 *
 * A step: loss, gradients, clipping to norm 1, AdamW.  Prints JSON: the median's tokens a second,
 * the process's peak memory, and the share that the step's products have of what gemm reaches
 * alone, measured in the same process before and after. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/key.h"
#include "base/mem.h"
#include "nn/model.h"
#include "optim/optim.h"
#include "par/thread.h"
#include "tensor/gemm.h"

static struct {
    const char *model;
    int64_t batch, seq, masked;
    bool bf16, profile;
    unsigned steps, threads;
    double dropout;
} o = { .model = "bert-mini",
        .batch = 32,
        .seq = 128,
        .masked = -1,
        .steps = 12,
        .threads = 2,
        .dropout = 0.1 };

static void die(const char *why)
{
    fprintf(stderr, "bench_step: %s\n", why);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Flop a second of a square product alone: the best of several. */
static double gemm_peak(struct tsl_pool *pool)
{
    enum { M = 2048, N = 1024, K = 512 };
    struct tsl_err err;
    struct tsl_gemm g = { .m = M,
                          .n = N,
                          .k = K,
                          .a_row = K,
                          .a_col = 1,
                          .b_row = N,
                          .b_col = 1,
                          .c_row = N,
                          .multiply = o.bf16 ? TSL_GEMM_BF16 : TSL_GEMM_F32 };
    float *a = tsl_pages_map(M * K * 4, "a", &err),
          *b = tsl_pages_map(K * N * 4, "b", &err);
    float *c = tsl_pages_map(M * N * 4, "c", &err);
    size_t bytes = tsl_gemm_scratch_bytes(&g, o.threads);
    void *scratch = tsl_pages_map(bytes + 64, "scratch", &err);
    double best = 1e9;
    g.a = a, g.b = b, g.c = c;
    for (unsigned i = 0; i < 12; i++) {
        double begin = tsl_seconds();
        tsl_gemm_run(&g, pool, scratch);
        double took = tsl_seconds() - begin;
        best = took < best ? took : best;
    }
    tsl_pages_unmap(a, M * K * 4);
    tsl_pages_unmap(b, K * N * 4);
    tsl_pages_unmap(c, M * N * 4);
    tsl_pages_unmap(scratch, bytes + 64);
    return 2.0 * M * N * K / best;
}

static void fill(struct tsl_tensor *t, int64_t below, uint64_t seed)
{
    struct tsl_key k = tsl_key_make(seed, "bench");
    for (size_t i = 0, n = t ? tsl_tensor_count(t) : 0; i < n; i++)
        tsl_tensor_i32(t)[i] = (int32_t)tsl_key_below(&k, i, (uint64_t)below);
}

static void make_batch(const struct tsl_modelconfig *c, const struct tsl_model_task *t,
                       const struct tsl_model_inputs *in)
{
    fill(in->input_ids, c->vocab_size, 1);
    fill(in->segment_ids, 2, 2);
    fill(in->labels, c->vocab_size, 3);
    fill(in->masked_labels, c->vocab_size, 4);
    fill(in->pair_labels, 2, 5);
    for (int64_t b = 0; b < t->batch; b++)
        tsl_tensor_i32(in->lengths)[b] = (int32_t)t->seq;
    for (int64_t i = 0; i < t->masked; i++)
        tsl_tensor_i32(in->masked_positions)[i] =
            (int32_t)(i * (t->batch * t->seq) / t->masked);
}

static void options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(name, "--profile")) {
            o.profile = true;
            continue;
        }
        i++;
        if (!strcmp(name, "--model"))
            o.model = value;
        else if (!strcmp(name, "--batch"))
            o.batch = atoll(value);
        else if (!strcmp(name, "--seq"))
            o.seq = atoll(value);
        else if (!strcmp(name, "--masked"))
            o.masked = atoll(value);
        else if (!strcmp(name, "--dtype"))
            o.bf16 = !strcmp(value, "bf16");
        else if (!strcmp(name, "--steps"))
            o.steps = (unsigned)atoi(value);
        else if (!strcmp(name, "--dropout"))
            o.dropout = atof(value);
        else if (!strcmp(name, "-j") || !strcmp(name, "--threads"))
            o.threads = (unsigned)atoi(value);
        else
            die("unknown option");
    }
    if (!o.steps || !o.threads)
        die("nothing to do");
}

static void config(struct tsl_modelconfig *c)
{
    if (!strcmp(o.model, "gpt2-l6")) {
        tsl_modelconfig_preset(c, "gpt2-small");
        c->num_hidden_layers = c->num_hidden_groups = 6;
        c->hidden_size = c->embedding_size = 384;
        c->num_attention_heads = 6;
        c->intermediate_size = 4 * 384;
    } else if (!tsl_modelconfig_preset(c, o.model)) {
        die("no such model");
    }
    c->hidden_dropout_prob = c->attention_probs_dropout_prob = o.dropout;
}

int main(int argc, char **argv)
{
    struct tsl_err err = { 0 };
    struct tsl_modelconfig c;
    struct tsl_params p = { 0 };
    struct tsl_graph *g;
    struct tsl_pool *pool;
    struct tsl_optim *optim;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    options(argc, argv);
    config(&c);
    bool gpt2 = c.kind == TSL_MODEL_GPT2;
    struct tsl_model_task t = {
        .batch = o.batch, .seq = o.seq, .pairs = !gpt2, .next = gpt2
    };
    if (!gpt2)
        t.masked = o.masked >= 0 ? o.masked : (int64_t)((double)(o.batch * o.seq) * 0.15);
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    opts.clip_norm = 1;
    if (tsl_pool_create(&pool, o.threads, &err) < 0)
        die(err.msg);
    double peak = gemm_peak(pool);
    if (tsl_model_params(&c, &p, &err) < 0 || tsl_params_alloc(&p, &err) < 0 ||
        tsl_graph_create(&g, &(struct tsl_graph_opts){ o.bf16, true }, &err) < 0 ||
        tsl_model_record(&c, &p, g, &t, &in, &out, &err) < 0 ||
        tsl_graph_derive(g, out.loss, &err) < 0 ||
        tsl_graph_plan(g, o.threads, &err) < 0 ||
        tsl_optim_create(&optim, &p, &opts, pool, &err) < 0)
        die(err.msg);
    tsl_params_init(&p, 1);
    make_batch(&c, &t, &in);
    double *took = calloc(o.steps, sizeof *took), in_optim = 0;
    for (unsigned i = 0; i < o.steps + 2; i++) { /* two to warm up */
        tsl_graph_profile(g, o.profile && i >= 2);
        double begin = tsl_seconds();
        tsl_graph_run(g, pool, &(struct tsl_draw){ 1, i });
        double half = tsl_seconds();
        if (tsl_optim_step(optim, 1e-1, 1, NULL, &err) < 0)
            die(err.msg);
        if (i >= 2) {
            took[i - 2] = tsl_seconds() - begin;
            in_optim += tsl_seconds() - half;
        }
    }
    double again = gemm_peak(pool);
    peak = again > peak ? again : peak;
    qsort(took, o.steps, sizeof *took, by_value);
    double median = took[o.steps / 2];
    struct rusage use;
    struct tsl_graph_stats st;
    getrusage(RUSAGE_SELF, &use);
    tsl_graph_stats(g, &st);
    printf("{\"tokens_per_s\": %.1f, \"peak_rss_bytes\": %lld, \"gemm_share\": %.3f, "
           "\"gemm_gflops\": %.1f, \"step_gflop\": %.1f, \"step_ms\": %.2f, "
           "\"optimizer_ms\": "
           "%.2f, \"arena_bytes\": %zu, \"scratch_bytes\": %zu}\n",
           (double)(o.batch * o.seq) / median, (long long)use.ru_maxrss * 1024,
           st.flops / median / peak, peak * 1e-9, st.flops * 1e-9, median * 1e3,
           in_optim / o.steps * 1e3, st.arena_bytes, st.scratch_bytes);
    char *text;
    if (o.profile && tsl_graph_profile_text(g, &text, &err) == 0) {
        fputs(text, stderr);
        tsl_mem_free(text);
    }
    tsl_optim_destroy(optim);
    tsl_graph_destroy(g);
    tsl_pool_destroy(pool);
    tsl_params_fini(&p);
    free(took);
    return 0;
}
