/* Names that lead where a test wants: this program's own answer to the question for a name's addresses, which curl asks
 * too. Every other name goes to the system. */
#pragma once

/* `name` leads to `addresses` ("10.0.0.1 ::1"), and after `then` questions (0: never) to `later`. Until names_forget. */
void names_lead(const char *name, const char *addresses, unsigned then, const char *later);
void names_forget(void);
/* Times that the name was asked for. */
unsigned names_asked(const char *name);
