/* What the parts of a house tell each other. */
#pragma once

/* Where house_ask goes from now on: a port of this machine. */
void house_client_connect(unsigned port);
