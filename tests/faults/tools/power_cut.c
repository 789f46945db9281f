/* power_cut MOUNTPOINT: shuts an ext4 file system down as a power cut would. What was not synced is
 * gone when it is mounted again, and until then every write fails. Source: EXT4_IOC_SHUTDOWN in
 * fs/ext4/ext4.h of Linux; 2 = EXT4_GOING_FLAGS_NOLOGFLUSH, the journal is not flushed before. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)

int main(int count, char **args) {
    uint32_t flags = 2;
    int mount = count == 2 ? open(args[1], O_RDONLY) : -1;
    if (mount < 0 || ioctl(mount, EXT4_IOC_SHUTDOWN, &flags) != 0) {
        perror("power_cut");
        return 1;
    }
    return 0;
}
