# SPDX-License-Identifier: Apache-2.0
add_executable(pc-fake-controller system/pc_fake_controller.c)
target_link_libraries(pc-fake-controller PRIVATE pcapcheck-core PkgConfig::CZMQ)
