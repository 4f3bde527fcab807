/* What long-running commands do about signals that are not meant for them. */
#ifndef CAIRN_CLI_SIGNALS_H
#define CAIRN_CLI_SIGNALS_H

/* From now on no signal ends the process but those that ask it to end (SIGINT, SIGTERM, SIGQUIT,
 * SIGKILL), those that tell of an error of its own, and SIGHUP: that is for the caller. */
void signals_ignore_strays(void);

#endif
