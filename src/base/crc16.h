/* CRC-16/XMODEM, by which Redis Cluster counts its slots. A leaf. */
#ifndef CAIRN_BASE_CRC16_H
#define CAIRN_BASE_CRC16_H

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const uint8_t *data, size_t len);

#endif
