/* crec recover - the whole blocks of a native file that was cut short or damaged. */
#include <inttypes.h>
#include <stdio.h>

#include "base/quote.h"
#include "crec.h"
#include "record/rec_native.h"

static const struct cli_opt opts[] = {
    CREC_OPT('o', NULL, "FILE", CLI_STR, &crec_given.output,
             "write to FILE once all is done; default: standard output"),
    CREC_QUIET("do not tell what was saved"),
    { 0 },
};

static int recover(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_recnative_recovered told;
    struct tsl_sink sink;
    struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    char kept[16], all[16];
    if (n != 1)
        cli_misuse(true, n ? "one FILE at a time" : "which file?");
    int rc = tsl_sink_open(&sink, crec_given.output, false, &so, err);
    if (rc == 0) {
        rc = tsl_recnative_recover(operands[0], &sink, &told, err);
        if (rc == 0)
            rc = tsl_sink_done(&sink, err);
        if (rc == 0)
            rc = tsl_sink_commit(&sink, err);
        tsl_sink_close(&sink);
    }
    if (rc == 0 && !crec_given.quiet) {
        if (!told.whole)
            cli_warn("%s", told.why.msg);
        cli_warn("%s: %" PRIu64 " records in %" PRIu64 " blocks, %s of %s%s",
                 tsl_quote(operands[0]).s, told.nrecords, told.nblocks,
                 cli_bytes(kept, told.bytes_kept), cli_bytes(all, told.bytes_in),
                 told.whole ? "; it was whole" : "");
    }
    return cli_finish(rc, err);
}

const struct crec_command crec_recover = {
    .name = "recover",
    .usage = "[OPTION]... FILE",
    .summary =
        "Write all records of a native file in front of its first damage, or its early\n"
        "end, as a whole file.",
    .notes =
        "A block that is damaged, and all behind it, are left out: so no record changes\n"
        "its number.  The header must be whole.\n"
        "\n",
    .examples = "Examples:\n"
                "  crec recover -o saved.tslrec killed.tslrec\n",
    .opts = opts,
    .run = recover,
};
