/* The file `pid` in a data folder names the process that runs on it, for scripts and people that
 * want to send it a signal. What counts is the folder's lock; a file that a kill left behind is
 * written anew.
 */
#ifndef CAIRN_CLI_PID_FILE_H
#define CAIRN_CLI_PID_FILE_H

/* A folder that can't take it is no reason not to serve: then there is none. */
void pid_file_write(const char *folder);
void pid_file_remove(const char *folder);

#endif
