#include "cli_run.h"

#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "cli.h"
#include "io/sink.h"
#include "par/thread.h"

int cli_choose(const char *option, const char *word, const char *words)
{
    char list[128] = "";
    int i = 0;
    if (!word)
        return 0;
    for (const char *w = words; *w; w += strlen(w) + 1, i++) {
        if (strcmp(w, word) == 0)
            return i;
        size_t n = strlen(list);
        const char *next = w + strlen(w) + 1;
        snprintf(list + n, sizeof list - n, "%s%s", !n ? "" : *next ? ", " : " or ", w);
    }
    cli_misuse(true, "invalid --%s: %s (%s)", option, tsl_quote(word).s, list);
}

int cli_write_text(const char *path, const char *text, size_t n, struct tsl_err *err)
{
    struct tsl_sink sink;
    struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    int rc = tsl_sink_open(&sink, strcmp(path, "-") ? path : NULL, false, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_sink_write(&sink, text, n, err);
    if (rc == 0)
        rc = tsl_sink_done(&sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&sink, err);
    tsl_sink_close(&sink);
    return rc;
}

int cli_write_json(const char *path, struct tsl_json *w, struct tsl_err *err)
{
    int rc = tsl_json_end(w, err);
    if (rc == 0)
        rc = cli_write_text(path, w->text, w->len, err);
    tsl_json_fini(w);
    return rc;
}

enum cli_progress_when cli_progress_told(const char *word, bool quiet)
{
    int when = cli_choose("progress", word, "auto\0always\0never\0");
    if (when == 1)
        return CLI_PROGRESS_ALWAYS;
    return when == 2 || quiet ? CLI_PROGRESS_NEVER : CLI_PROGRESS_AUTO;
}

unsigned cli_threads(uint64_t n)
{
    enum { MOST = 256 };
    return n ? (unsigned)(n < MOST ? n : MOST) : tsl_thread_cpus();
}
