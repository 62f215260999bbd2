module.exports = { title: 'Pumpctl', url: 'https://docs.example.com', baseUrl: '/', onBrokenLinks: 'ignore', onBrokenMarkdownLinks:'ignore',
 presets: [['classic', { docs: { routeBasePath: '/', editUrl: 'https://example.com/edit/' }, blog: false, theme: {} }]],
 themeConfig: { navbar: { title: 'Pumpctl', items: [{type:'doc',docId:'install',label:'Manual'}] }, footer: { copyright: 'Copyright Acme Pumps' } } };
