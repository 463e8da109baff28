/* crec order - the order in which an epoch goes through the records, and each trainer's part. */
#include <inttypes.h>
#include <stdio.h>

#include "base/permute.h"
#include "crec.h"

static struct {
    uint64_t seed, epoch, rank, world, records, skip;
} given = { .world = 1, .records = UINT64_MAX };

static const struct cli_opt opts[] = {
    CREC_OPT('s', "seed", "N", CLI_COUNT, &given.seed,
             "the same N gives the same orders; default: 0"),
    CREC_OPT(0, "epoch", "N", CLI_COUNT, &given.epoch,
             "each epoch has an order of its own; default: 0"),
    CREC_OPT(0, "rank", "N", CLI_COUNT, &given.rank,
             "of the trainers 0 to WORLD - 1 this one; default: 0"),
    CREC_OPT(0, "world", "N", CLI_COUNT, &given.world, "so many trainers; default: 1"),
    CREC_OPT(0, "skip", "N", CLI_COUNT, &given.skip,
             "leave out the epoch's first N records, of all trainers:\n"
             "what was done before a restart, with any WORLD"),
    CREC_OPT('n', "count", "N", CLI_COUNT, &crec_given.count, "print N numbers at most"),
    CREC_OPT(0, "records", "N", CLI_COUNT, &given.records,
             "there are N records; default: as many as FILE has"),
    CREC_FROM,
    CREC_MEMORY,
    { 0 },
};

static int order(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_recreader *r;
    int rc = 0;
    if (given.world == 0 || given.rank >= given.world)
        cli_misuse(true, "--rank must be below --world");
    if (given.records == UINT64_MAX ? n > 1 : n > 0)
        cli_misuse(true, n > 1 ? "one FILE at a time" : "--records is instead of FILE");
    if (given.records == UINT64_MAX) {
        rc = crec_open(&r, crec_input(operands, n, 0), err);
        if (rc == 0) {
            rc = crec_total(r, &given.records, err);
            tsl_recreader_destroy(r);
        }
    }
    if (rc == 0 && given.records) {
        struct tsl_permute p = tsl_permute_epoch(given.seed, given.epoch, given.records);
        uint64_t left = crec_given.count, at = given.skip;
        for (; left && at < given.records && given.rank < given.records - at; left--) {
            printf("%" PRIu64 "\n", tsl_permute_at(&p, at + given.rank));
            if (given.world >= given.records - at)
                break;
            at += given.world;
        }
        rc = crec_flush(err);
    }
    return cli_finish(rc, err);
}

const struct crec_command crec_order = {
    .name = "order",
    .usage = "[OPTION]... [FILE]",
    .summary = "Print the numbers of the records in the order of an epoch: a random "
               "permutation\n"
               "of all, of which each of WORLD trainers takes every WORLD-th.",
    .notes =
        "The number at any place is computed alone, so this needs no memory, and a run\n"
        "that stopped goes on where it was, with as many trainers as it likes.\n"
        "\n",
    .examples = "Examples:\n"
                "  crec order --seed=7 --epoch=2 --rank=3 --world=8 train\n"
                "  crec order --records=1000000 --skip=64000 -n 8\n",
    .opts = opts,
    .run = order,
};
