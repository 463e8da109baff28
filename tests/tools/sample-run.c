/* sample-run FOLDER - what a training run leaves, with made-up numbers: a checkpoint, metrics,
 * events for TensorBoard, and the report.  For tests/peers/train.py, and for looking at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/outfolder.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/tbevents.h"
#include "train/trainreport.h"

enum { STEPS = 20000, EVERY = 10 };

static struct tsl_err err;
static const char *folder;

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "sample-run: %s\n", err.msg);
    exit(1);
}

static const char *in_folder(const char *name)
{
    static char path[4][4096];
    static unsigned i;
    char *p = path[i++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* About a normal deviate, by step and purpose. */
static double noise(uint64_t step, unsigned purpose)
{
    uint64_t x = (step + 1) * 0x9e3779b97f4a7c15 + purpose * 0xbf58476d1ce4e5b9;
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        x ^= x >> 30;
        x *= 0xbf58476d1ce4e5b9;
        x ^= x >> 27;
        sum += (double)(x >> 11) * 0x1p-53;
        x += 0x94d049bb133111eb;
    }
    return sum - 6;
}

static void measure(void)
{
    struct tsl_metrics m;
    struct tsl_tbevents t;
    must(tsl_metrics_open(&m, in_folder("metrics.jsonl"), false, 0, &err));
    must(tsl_tbevents_open(&t, in_folder("events.out.tfevents.1700000000.sample"), false,
                           0, 1.7e9, &err));
    for (uint64_t s = EVERY; s <= STEPS; s += EVERY) {
        double x = (double)s / STEPS, mlm = 2.1 + 7.2 / (1 + 40 * x) + 0.12 * noise(s, 1);
        double nsp = 0.2 + 0.49 / (1 + 25 * x) + 0.04 * noise(s, 2);
        const struct tsl_metric v[] = {
            { "loss", mlm + nsp },
            { "mlm_loss", mlm },
            { "nsp_loss", nsp },
            { "mlm_accuracy", 0.62 - 0.6 / (1 + 25 * x) + 0.012 * noise(s, 3) },
            { "lr", x < 0.05 ? 4e-4 * x / 0.05 : 4e-4 * (1 - x) / 0.95 },
            { "grad_norm",
              (1.4 + 0.35 * noise(s, 4) + 6 / (1 + 90 * x)) * (s % 4730 == 0 ? 9 : 1) },
            { "tokens", 4096 * (double)s },
            { "tokens_per_s", 13400 + 160 * noise(s, 5) - (s % 2500 == 0 ? 5000 : 0) },
            { "data_wait_s", 0.0004 + 0.0001 * fabs(noise(s, 6)) },
            { "time", 0.306 * (double)s },
        };
        must(tsl_metrics_put(&m, s, v, sizeof v / sizeof *v, &err));
        must(tsl_tbevents_put(&t, s, 1.7e9 + 0.306 * (double)s, v, 3, &err));
        if (s % 1000 == 0) {
            const struct tsl_metric e[] = {
                { "eval_loss", 2.42 + 7.4 / (1 + 42 * x) },
                { "eval_mlm_accuracy", 0.60 - 0.6 / (1 + 25 * x) },
            };
            must(tsl_metrics_put(&m, s, e, 2, &err));
        }
    }
    must(tsl_metrics_close(&m, &err));
    must(tsl_tbevents_close(&t, &err));
}

static void report(void)
{
    static const struct tsl_trainreport_pair pairs[] = {
        { "model", "BERT, 4 layers, 256 wide, 4 heads, 11.2 M parameters" },
        { "vocabulary", "bert-base-uncased, 30,522 tokens" },
        { "data", "en.tslrec (weight 0.7), zh.tslrec (weight 0.3)" },
        { "batch", "32 samples of 128 tokens" },
        { "optimizer", "AdamW, betas 0.9 and 0.999, weight decay 0.01, clipped at 1" },
        { "schedule", "linear, 1,000 steps of warm-up, peak 4e-4" },
        { "precision", "bf16 products, float32 sums" },
        { "seed", "1" },
    };
    static const struct tsl_trainreport_baseline baselines[] = {
        { "accuracy", "always the most frequent token", 0.061 },
        { "accuracy", "bigram", 0.207 },
        { "loss", "unigram", 6.9 },
    };
    struct tsl_metrics_table table;
    must(tsl_metrics_read(&table, in_folder("metrics.jsonl"), &err));
    const struct tsl_trainreport r = { "runs/bert-mini <demo>",      &table,    pairs,
                                       sizeof pairs / sizeof *pairs, baselines, 3 };
    must(tsl_trainreport_write(in_folder("report.html"), &r, &err));
    tsl_metrics_table_fini(&table);
}

static void save(void)
{
    static float w[6] = { 1, -2, 0.5f, 3e38f, 1e-40f, 0 };
    static double d[2] = { 0.1, -1e300 };
    static int64_t whole[1] = { -5 };
    static uint16_t half[2] = { 0x3c00, 0x7c00 }, brain[2] = { 0x3f80, 0xc000 };
    static uint8_t truth[3] = { 1, 0, 1 };
    static uint64_t steps = STEPS;
    static const int64_t dim[2] = { 2, 3 }, one[1] = { 1 }, two[1] = { 2 },
                         three[1] = { 3 }, none[2] = { 0, 7 };
    static const struct tsl_ckpt_array model[] = {
        { "bert.a.weight", TSL_ST_F32, 2, dim, w },
        { "double", TSL_ST_F64, 1, two, d },
        { "long", TSL_ST_I64, 1, one, whole },
        { "half", TSL_ST_F16, 1, two, half },
        { "brain", TSL_ST_BF16, 1, two, brain },
        { "none", TSL_ST_F32, 2, none, NULL },
        { "\xc3\xa4 \"quoted\"", TSL_ST_F32, 0, NULL, w },
        { "truth", TSL_ST_BOOL, 1, three, truth },
    };
    static const struct tsl_ckpt_array optimizer[] = {
        { "step", TSL_ST_U64, 0, NULL, &steps }, { "exp_avg", TSL_ST_F32, 2, dim, w }
    };
    const struct tsl_ckpt_content c = {
        .state = { .step = STEPS, .samples = 32 * STEPS, .seed = 1, .version = "sample" },
        .config = "{\"model_type\": \"bert\"}\n",
        .model = model,
        .optimizer = optimizer,
        .nmodel = sizeof model / sizeof *model,
        .noptimizer = 2,
    };
    must(tsl_ckpt_save(folder, &c, &err));
}

int main(int argc, char **argv)
{
    bool made;
    if (argc != 2) {
        fprintf(stderr, "usage: sample-run FOLDER\n");
        return 2;
    }
    folder = argv[1];
    must(tsl_outfolder_make(folder, &made, &err));
    save();
    measure();
    report();
    return 0;
}
