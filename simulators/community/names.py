"""What things are called in the reference community, in Chinese and English."""

from typing import Final, NamedTuple


class Named(NamedTuple):
    """A part of the community: its word in ids, and its names."""

    slug: str
    zh: str
    en: str


COMPOUNDS: Final = (
    Named("linbin", "临滨苑", "Linbin Yuan"),
    Named("guanhu", "观湖苑", "Guanhu Yuan"),
    Named("chenhui", "晨晖苑", "Chenhui Yuan"),
    Named("huifeng", "惠风苑", "Huifeng Yuan"),
    Named("lanhu", "蓝湖苑", "Lanhu Yuan"),
    Named("chunrong", "春融苑", "Chunrong Yuan"),
    Named("ziyun", "紫云苑", "Ziyun Yuan"),
    Named("jiayuan", "滨湖家园", "Binhu Jiayuan"),
)
"""The eight residential grids of level 1."""

QUARTERS: Final = (
    Named("north", "滨湖北片街面", "Binhu North Streets"),
    Named("middle", "滨湖中片街面", "Binhu Middle Streets"),
    Named("south", "滨湖南片街面", "Binhu South Streets"),
)
"""The three street grids of level 1."""

ROADS: Final = (
    (
        Named("huizhou", "徽州大道", "Huizhou Avenue"),
        Named("ziyun", "紫云路", "Ziyun Road"),
        Named("jinxiu", "锦绣大道", "Jinxiu Avenue"),
        Named("hangzhou", "杭州路", "Hangzhou Road"),
    ),
    (
        Named("luzhou", "庐州大道", "Luzhou Avenue"),
        Named("yungu", "云谷路", "Yungu Road"),
        Named("guangxi", "广西路", "Guangxi Road"),
        Named("dongting", "洞庭湖路", "Dongtinghu Road"),
    ),
    (
        Named("baohe", "包河大道", "Baohe Avenue"),
        Named("fangxing", "方兴大道", "Fangxing Avenue"),
        Named("yangzijiang", "扬子江路", "Yangzijiang Road"),
        Named("zhongshan", "中山路", "Zhongshan Road"),
    ),
)
"""The roads of each quarter; its level-2 grids are their sections in turn."""

PLAZA: Final = Named("plaza", "滨湖世纪广场", "Binhu Century Plaza")
"""The commercial grid of level 1."""

SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国文辉志远晓东海燕雪莲思源子涵"
